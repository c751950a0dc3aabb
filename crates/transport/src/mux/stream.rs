//! The media of one call: what ICE and DTLS made possible, carried between the
//! network and the call's leg.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use switchboard_media::engine::NetworkSide;
use switchboard_media::rtp::{self, RtpHeader};
use zeroize::Zeroize;

use super::lines::Lines;
use super::link::Refused;
use super::outbox::Outbox;
use super::police::Police;
use super::report::Report;
use super::srtp::{self, MAX_RTP_OVERHEAD};
use crate::bridge::BridgeEnd;
use crate::sdp::Negotiated;

/// Packets of one call sent at a time; more are left for the next time.
const SENT_AT_ONCE: usize = 16;

/// One call's media.
pub(crate) struct Stream {
    network: NetworkSide,
    negotiated: Negotiated,
    ssrc: u32,
    keys: Option<Box<(srtp::Sender, srtp::Receiver)>>,
    clock: Clock,
    report: Report,
    bridge: Option<BridgeEnd>,
    lines: Option<Box<Lines>>,
}

/// Keeps one outgoing stream's time continuous when its source changes from
/// our own playout to a bridged session.
struct Clock {
    /// Ticks of 20 ms.
    frame: u32,
    timestamp: u32,
    /// Source time to stream time, once bridged packets flow.
    offset: Option<u32>,
}

impl Clock {
    fn new(frame: u32) -> Self {
        Self {
            frame,
            timestamp: 0,
            offset: None,
        }
    }

    fn own(&mut self, timestamp: u32) -> u32 {
        self.timestamp = timestamp;
        self.offset = None;
        timestamp
    }

    fn bridged(&mut self, source: u32) -> u32 {
        let (next, previous) = (self.timestamp.wrapping_add(self.frame), self.timestamp);
        let offset = *self.offset.get_or_insert(next.wrapping_sub(source));
        let timestamp = source.wrapping_add(offset);
        // Telephone events repeat their start time (RFC 4733 §2.3.1), so time may
        // stand still but the stream's own clock only moves forward.
        if (timestamp.wrapping_sub(previous) as i32) > 0 {
            self.timestamp = timestamp;
        }
        timestamp
    }
}

impl Stream {
    pub(crate) fn new(
        network: NetworkSide,
        negotiated: Negotiated,
        ssrc: u32,
        now: Instant,
        wall: SystemTime,
    ) -> Self {
        Self {
            network,
            ssrc,
            keys: None,
            clock: Clock::new(negotiated.codec.frame_ticks()),
            report: Report::new(ssrc, negotiated.codec.clock_rate(), now, wall),
            negotiated,
            bridge: None,
            lines: None,
        }
    }

    /// Speakers' lines beside the mix.
    pub(crate) fn with_lines(mut self, lines: Option<Box<Lines>>) -> Self {
        self.lines = lines;
        self
    }

    /// How many streams of audio come.
    pub(crate) fn streams(&self) -> u32 {
        self.lines.as_ref().map_or(1, |lines| lines.heard())
    }

    pub(crate) fn start(&mut self, keys: Box<(srtp::Sender, srtp::Receiver)>) {
        self.keys = Some(keys);
    }

    pub(crate) fn bridge(&mut self, end: BridgeEnd) {
        self.bridge = Some(end);
    }

    /// Whether another session hears this one.
    pub(crate) fn is_bridged(&self) -> bool {
        self.bridge.is_some()
    }

    /// Whether the leg or the engine behind it is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.network.is_closed()
    }

    /// Whether the application has events to take.
    pub(crate) fn take_events_waiting(&self) -> bool {
        let lines = self.lines.as_ref();
        let lines = lines.is_some_and(|lines| lines.take_events_waiting());
        self.network.take_events_waiting() || lines
    }

    /// Whether [`flush`](Self::flush) has something to do.
    pub(crate) fn has_outgoing(&self) -> bool {
        let lines = || self.lines.as_ref().is_some_and(|lines| lines.has_packet());
        self.bridge.is_some() || self.network.has_packet() || lines()
    }

    /// When a report is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.keys.as_ref().map(|_| self.report.due())
    }

    /// Takes an SRTP packet, which is decrypted in place and wiped; gives its source if that
    /// is new.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        packet: &mut [u8],
        police: &mut Police,
    ) -> Result<Option<u32>, Refused> {
        let (_, receiver) = &mut **self.keys.as_mut().ok_or(Refused::Early)?;
        let len = receiver.open(packet)?;
        let new = receiver.take_new();
        let outcome = if police.media.take(now) {
            self.hear(now, &packet[..len])
        } else {
            Err(Refused::Policed)
        };
        packet[..len].zeroize();
        outcome.map(|()| new)
    }

    fn hear(&mut self, now: Instant, packet: &[u8]) -> Result<(), Refused> {
        let (header, payload) = rtp::parse(packet).map_err(|_| Refused::Malformed)?;
        if let Some(lines) = &mut self.lines
            && lines.receive(now, packet, &header, payload)?
        {
            return Ok(());
        }
        self.report.received(now, &header);
        if let Some(bridge) = &mut self.bridge
            && let Some(kind) = self.negotiated.kind(header.payload_type)
        {
            bridge.send(kind, header.marker, header.timestamp, payload);
        }
        // The leg counts what it does not take.
        let _ = self.network.receive(now, &header, payload);
        Ok(())
    }

    /// Takes an SRTCP packet.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, packet: &mut [u8]) -> Result<(), Refused> {
        let (_, receiver) = &mut **self.keys.as_mut().ok_or(Refused::Early)?;
        let len = receiver.open_rtcp(packet)?;
        self.report.heard(now, &packet[..len]);
        Ok(())
    }

    /// Sends what the playout or the bridge has ready along `path`; without
    /// one it is discarded.
    pub(crate) fn flush(&mut self, now: Instant, path: Option<SocketAddr>, out: &mut Outbox) {
        if self.bridge.as_ref().is_some_and(BridgeEnd::is_over) {
            self.bridge = None;
        }
        let mut line = Line {
            path: path.zip(self.keys.as_mut().map(|keys| &mut keys.0)),
            report: &mut self.report,
            now,
            out,
        };
        let bridged = self.bridge.is_some();
        for _ in 0..SENT_AT_ONCE {
            let sent = self.network.transmit(|header, payload| {
                if !bridged {
                    let timestamp = self.clock.own(header.timestamp);
                    line.send(header, timestamp, payload);
                }
            });
            if sent.is_none() {
                break;
            }
        }
        if let Some(lines) = &mut self.lines {
            lines.transmit(SENT_AT_ONCE, |header, payload| line.speak(header, payload));
        }
        let Some(bridge) = &mut self.bridge else {
            return;
        };
        for _ in 0..SENT_AT_ONCE {
            let sent = bridge.receive(|packet| {
                let Some(payload_type) = self.negotiated.payload_type(packet.kind) else {
                    return;
                };
                let header = RtpHeader {
                    payload_type,
                    marker: packet.marker,
                    ssrc: self.ssrc,
                    ..RtpHeader::default()
                };
                let timestamp = self.clock.bridged(packet.timestamp);
                line.send(&header, timestamp, packet.payload());
            });
            if sent.is_none() {
                break;
            }
        }
    }

    /// A packet of the mix as [`flush`](Self::flush) would send it.
    #[cfg(test)]
    pub(crate) fn seal(&mut self, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let header = RtpHeader {
            payload_type: self.negotiated.payload_type,
            timestamp,
            ssrc: self.ssrc,
            ..RtpHeader::default()
        };
        self.seal_as(&header, payload)
    }

    #[cfg(test)]
    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// A packet with a header of one's own.
    #[cfg(test)]
    pub(crate) fn seal_as(&mut self, header: &RtpHeader, payload: &[u8]) -> Vec<u8> {
        let mut out = Outbox::new();
        let mut line = Line {
            path: self
                .keys
                .as_mut()
                .map(|keys| (SocketAddr::from(([0; 4], 0)), &mut keys.0)),
            report: &mut self.report,
            now: Instant::now(),
            out: &mut out,
        };
        line.speak(header, payload);
        out.batch()[0].payload().to_vec()
    }

    /// Sends a report if one is due.
    pub(crate) fn timeout(&mut self, now: Instant, path: Option<SocketAddr>, out: &mut Outbox) {
        let (Some(path), Some(keys)) = (path, &mut self.keys) else {
            return;
        };
        if self.report.due() > now {
            return;
        }
        out.push(path, |space| {
            let len = self.report.write(now, space)?;
            keys.0.protect_rtcp(space, len).ok()
        });
    }
}

/// Where packets go while a call is flushed.
struct Line<'a> {
    path: Option<(SocketAddr, &'a mut srtp::Sender)>,
    report: &'a mut Report,
    now: Instant,
    out: &'a mut Outbox,
}

impl Line<'_> {
    /// A packet of the mix.
    fn send(&mut self, header: &RtpHeader, timestamp: u32, payload: &[u8]) {
        if self.path.is_some() {
            self.report.sent(self.now, timestamp, payload.len());
        }
        let header = RtpHeader {
            timestamp,
            ..*header
        };
        self.speak(&header, payload);
    }

    /// A packet of whatever source.
    fn speak(&mut self, header: &RtpHeader, payload: &[u8]) {
        let Some((path, sender)) = &mut self.path else {
            return;
        };
        let header = RtpHeader {
            sequence: sender.sequence(header.ssrc),
            ..*header
        };
        self.out.push(*path, |space| {
            let head = header.write(space)?;
            let len = head + payload.len();
            space.get(..len + MAX_RTP_OVERHEAD)?;
            space[head..len].copy_from_slice(payload);
            sender.protect(space, len).ok()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stays_continuous_across_a_bridge() {
        let mut clock = Clock::new(960);
        assert_eq!(clock.own(5_000), 5_000);
        assert_eq!(clock.bridged(900_000), 5_960);
        assert_eq!(clock.bridged(900_960), 6_920);
        // A telephone event repeats the time it began at.
        assert_eq!(clock.bridged(900_960), 6_920);
        assert_eq!(clock.own(8_000), 8_000);
        assert_eq!(clock.bridged(100), 8_960);
    }
}
