//! RTP streams among datagrams, what their payload types mean, and their replay.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Datagram;
use crate::analysis::AnalyzerConfig;
use crate::codec::{OPUS_CLOCK, opus_duration};
use crate::event::MediaEvent;
use crate::receive::{Format, Formats, ReceiveStats, Receiver, ReceiverConfig, ReceiverError};
use crate::rtp::{self, RtpHeader};

/// Fewer packets are no stream.
const MIN_PACKETS: usize = 3;
/// A larger step in sequence is not the next packet, even after loss.
const MAX_STEP: u16 = 50;
/// How often a replay pulls.
const STEP: Duration = Duration::from_millis(20);
/// Longer gaps between packets are shortened to this in a replay.
const MAX_GAP: Duration = Duration::from_secs(60);

/// One direction of one RTP source.
pub struct RtpStream<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Its source identifier.
    pub ssrc: u32,
    /// Capture time, header and payload of its packets, in the capture's order.
    pub packets: Vec<(Duration, RtpHeader, &'a [u8])>,
}

/// The RTP streams among `datagrams`, by the time of their first packets.
///
/// RTP has no mark of its own (RFC 3550 §5.1 has only the version), so a stream
/// is what parses as RTP between the same addresses with one SSRC, at least
/// three packets whose sequence numbers mostly go on in small steps.
pub fn rtp_streams<'a>(datagrams: &[Datagram<'a>]) -> Vec<RtpStream<'a>> {
    let mut found: BTreeMap<(SocketAddr, SocketAddr, u32), RtpStream<'a>> = BTreeMap::new();
    for datagram in datagrams {
        let Ok((header, payload)) = rtp::parse(datagram.payload) else {
            continue;
        };
        let (source, destination, ssrc) = (datagram.source, datagram.destination, header.ssrc);
        found
            .entry((source, destination, ssrc))
            .or_insert_with(|| RtpStream {
                source,
                destination,
                ssrc,
                packets: Vec::new(),
            })
            .packets
            .push((datagram.at, header, payload));
    }
    let mut streams: Vec<_> = found
        .into_values()
        .filter(RtpStream::is_plausible)
        .collect();
    streams.sort_by_key(|stream| stream.packets.first().map(|packet| packet.0));
    streams
}

impl RtpStream<'_> {
    fn is_plausible(&self) -> bool {
        let steps = self.packets.windows(2).filter(|pair| {
            let step = pair[1].1.sequence.wrapping_sub(pair[0].1.sequence);
            (1..=MAX_STEP).contains(&step)
        });
        self.packets.len() >= MIN_PACKETS && steps.count() * 4 >= (self.packets.len() - 1) * 3
    }

    /// What the payload types mean, as far as the packets tell: 0, 8 and 9 are
    /// G.711 and G.722 (RFC 3551 §6); a dynamic type (96–127) is telephone events when
    /// every payload has their form, and Opus when every payload is a valid
    /// Opus packet and their durations mostly match the timestamps.
    pub fn formats(&self) -> Formats {
        let mut formats = Formats::new();
        let mut types: Vec<u8> = self.packets.iter().map(|p| p.1.payload_type).collect();
        types.sort_unstable();
        types.dedup();
        for payload_type in types {
            let meaning = match payload_type {
                0 => Some(Format::Pcmu),
                8 => Some(Format::Pcma),
                9 => Some(Format::G722),
                96..=127 => self.guess(payload_type),
                _ => None,
            };
            if let Some(format) = meaning {
                // Each type comes once, and its clock is in range.
                formats = formats.with(payload_type, format).unwrap_or(formats);
            }
        }
        formats
    }

    fn of_type(&self, payload_type: u8) -> impl Iterator<Item = &(Duration, RtpHeader, &[u8])> {
        self.packets
            .iter()
            .filter(move |packet| packet.1.payload_type == payload_type)
    }

    fn guess(&self, payload_type: u8) -> Option<Format> {
        // Event 0-15 (DTMF), volume, duration: four bytes (RFC 4733 §2.3).
        if self
            .of_type(payload_type)
            .all(|p| p.2.len() == 4 && p.2[0] < 16)
        {
            let clock_rate = self.event_clock(payload_type);
            return Some(Format::TelephoneEvent { clock_rate });
        }
        let (mut neighbours, mut matching) = (0u32, 0u32);
        let mut last: Option<(RtpHeader, u32)> = None;
        for (_, header, payload) in self.of_type(payload_type) {
            let ticks = opus_duration(payload, OPUS_CLOCK)?;
            if let Some((before, duration)) = last
                && header.sequence == before.sequence.wrapping_add(1)
            {
                neighbours += 1;
                let step = header.timestamp.wrapping_sub(before.timestamp);
                matching += u32::from(step == duration);
            }
            last = Some((*header, ticks));
        }
        (matching * 2 >= neighbours).then_some(Format::Opus)
    }

    /// The clock of telephone events: 8 or 48 kHz, whichever their durations
    /// grow by over the capture's time.
    fn event_clock(&self, payload_type: u8) -> u32 {
        let duration = |payload: &[u8]| i64::from(u16::from_be_bytes([payload[2], payload[3]]));
        let events: Vec<_> = self.of_type(payload_type).collect();
        let (mut ticks, mut time) = (0, Duration::ZERO);
        for pair in events.windows(2) {
            let grown = duration(pair[1].2) - duration(pair[0].2);
            if pair[0].1.timestamp == pair[1].1.timestamp && grown > 0 {
                ticks += grown;
                time += pair[1].0.saturating_sub(pair[0].0);
            }
        }
        // Halfway (in octaves) between the two: some 20 kHz.
        match ticks as f64 > time.as_secs_f64() * 20_000.0 {
            true => 48_000,
            false => 8_000,
        }
    }

    /// Hears the stream as the live pipeline would have, jitter and loss
    /// included, on the capture's clock; `origin` stands for its beginning.
    /// Media time 0 is the first audio packet.
    ///
    /// # Errors
    /// [`ReceiverError`] when a codec cannot be made.
    pub fn replay(
        &self,
        analyzer: AnalyzerConfig,
        origin: Instant,
        sink: &mut impl FnMut(MediaEvent),
    ) -> Result<ReceiveStats, ReceiverError> {
        let mut receiver = Receiver::new(ReceiverConfig {
            formats: self.formats(),
            analyzer,
        })?;
        let mut now = origin;
        let mut last = self.packets.first().map_or(Duration::ZERO, |first| first.0);
        for (at, header, payload) in &self.packets {
            let arrival = now + at.saturating_sub(last).min(MAX_GAP);
            last = last.max(*at);
            while now + STEP < arrival {
                now += STEP;
                while receiver.pull(now, sink) {}
            }
            now = arrival;
            receiver.push(now, header, payload, sink);
            while receiver.pull(now, sink) {}
        }
        receiver.finish(now, sink);
        Ok(receiver.stats())
    }
}
