//! What a leg sends: one packet every 20 ms, from a prompt or silence.
//!
//! Sans-IO: [`Playout::frame`] is called once per 20 ms and hands out at most
//! one packet. Sequence numbers count packets; timestamps follow time, so they
//! go on through silence (RFC 3550 §5.1, RFC 7587 §4.1).

use std::sync::Arc;

use crate::codec::Codec;
use crate::event::{Digit, MediaEvent, PlayId};
use crate::prompt::Prompt;
use crate::receive::TelephoneEventFormat;
use crate::rtp::RtpHeader;
use crate::said::Said;

/// Duration of a frame in ms.
const FRAME_MS: u32 = 20;
/// An event's end is told three times (RFC 4733 §2.5.1.4).
const END_REPORTS: u8 = 3;
/// −10 dBm0, as a telephone sends keys (RFC 4733 §2.3: the negated level).
const VOLUME: u8 = 10;
/// Longest event one report can tell of, in milliseconds at 48 kHz (§2.3.5).
const LONGEST_PRESS_MS: u32 = 1_300;

/// How a leg sends.
#[derive(Debug, Clone, Copy)]
pub struct PlayoutConfig {
    /// Payload type of the audio, 0–127.
    pub payload_type: u8,
    /// What prompts, live audio and silence are coded with.
    pub codec: Codec,
    /// Source of our packets. The first sequence number and timestamp are
    /// derived from it, so it should be random (RFC 3550 §5.1).
    pub ssrc: u32,
    /// Send silence packets while nothing plays.
    pub comfort_silence: bool,
    /// The telephone events the other side takes, for [`Playout::press`].
    pub telephone_event: Option<TelephoneEventFormat>,
}

struct Playing {
    id: PlayId,
    prompt: Arc<Prompt>,
    next: usize,
}

/// A key that is held down.
struct Pressing {
    digit: Digit,
    format: TelephoneEventFormat,
    /// When it was pressed, on the stream's clock.
    timestamp: u32,
    /// For how long, in ms.
    total: u32,
    elapsed: u32,
    ends_told: u8,
}

impl Pressing {
    /// One report (§2.3): event, end and volume, duration in the format's ticks.
    fn report(&self) -> [u8; 4] {
        let ended = self.elapsed >= self.total;
        let duration = self.elapsed * self.format.clock_rate / 1000;
        let [high, low] = (duration as u16).to_be_bytes();
        let end = if ended { 0x80 } else { 0 };
        [self.digit.event_code(), end | VOLUME, high, low]
    }
}

/// One leg's sender.
pub struct Playout {
    config: PlayoutConfig,
    silence: Box<[u8]>,
    sequence: u16,
    timestamp: u32,
    playing: Option<Playing>,
    pressing: Option<Pressing>,
    /// Whether the last frame was part of a prompt: if not, the next one that
    /// is begins a talk-spurt.
    talking: bool,
}

impl Playout {
    /// A sender with nothing to play.
    pub fn new(config: PlayoutConfig) -> Self {
        let seed = scramble(config.ssrc);
        Self {
            config,
            silence: config.codec.silence(),
            sequence: seed as u16,
            timestamp: (seed >> 32) as u32,
            playing: None,
            pressing: None,
            talking: false,
        }
    }

    /// Plays `prompt` from the next frame on. What was playing finishes as
    /// interrupted.
    pub fn play(&mut self, id: PlayId, prompt: Arc<Prompt>, event: &mut impl FnMut(MediaEvent)) {
        self.stop(event);
        self.playing = Some(Playing {
            id,
            prompt,
            next: 0,
        });
    }

    /// Stops what is playing: the next frame is silence already.
    pub fn stop(&mut self, event: &mut impl FnMut(MediaEvent)) {
        self.finish(true, event);
    }

    /// Holds a key down for `ms` milliseconds (20–1 300) from the next frame on, as
    /// telephone events (RFC 4733 §2.5.1.2); what plays waits meanwhile. A key that
    /// is still down is let go without its end. Without a format nothing happens.
    pub fn press(&mut self, digit: Digit, ms: u32) {
        let Some(format) = self.config.telephone_event else {
            return;
        };
        self.pressing = Some(Pressing {
            digit,
            format,
            timestamp: self.timestamp,
            total: ms.clamp(20, LONGEST_PRESS_MS).next_multiple_of(FRAME_MS),
            elapsed: 0,
            ends_told: 0,
        });
    }

    /// What is playing, if anything.
    pub fn playing(&self) -> Option<PlayId> {
        self.playing.as_ref().map(|playing| playing.id)
    }

    /// What the last frame said of a prompt, if it did.
    pub(crate) fn said(&self) -> Option<&Said> {
        let playing = self.playing.as_ref().filter(|_| self.pressing.is_none())?;
        playing.prompt.said(playing.next.checked_sub(1)?)
    }

    /// Moves time on by 20 ms and hands out the packet for it, if there is one:
    /// a prompt's, else `live` (20 ms of the codec), else silence.
    pub fn frame(
        &mut self,
        live: Option<&[u8]>,
        send: &mut impl FnMut(&RtpHeader, &[u8]),
        event: &mut impl FnMut(MediaEvent),
    ) {
        // The last packet's 20 ms are over only now.
        if self.is_over() {
            self.finish(false, event);
        }
        if self.pressing.is_some() {
            return self.press_frame(send);
        }
        let talking = self.playing.is_some() || live.is_some();
        let header = RtpHeader {
            payload_type: self.config.payload_type,
            marker: talking && !self.talking,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.config.ssrc,
            csrc: None,
        };
        self.timestamp = self.timestamp.wrapping_add(self.config.codec.frame_ticks());
        self.talking = talking;
        let Some(playing) = &mut self.playing else {
            let silence = self.config.comfort_silence.then_some(&*self.silence);
            if let Some(packet) = live.or(silence) {
                self.sequence = self.sequence.wrapping_add(1);
                send(&header, packet);
            }
            return;
        };
        if let Some(packet) = playing.prompt.packet_as(self.config.codec, playing.next) {
            self.sequence = self.sequence.wrapping_add(1);
            send(&header, packet);
        }
        playing.next += 1;
        if playing.next == 1 {
            event(MediaEvent::PlayStarted { id: playing.id });
        }
    }

    /// A frame in which a key is down: its report instead of sound.
    fn press_frame(&mut self, send: &mut impl FnMut(&RtpHeader, &[u8])) {
        let Some(pressing) = &mut self.pressing else {
            return;
        };
        let marker = pressing.elapsed == 0;
        pressing.elapsed = (pressing.elapsed + FRAME_MS).min(pressing.total);
        let header = RtpHeader {
            payload_type: pressing.format.payload_type,
            marker,
            sequence: self.sequence,
            timestamp: pressing.timestamp,
            ssrc: self.config.ssrc,
            csrc: None,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(self.config.codec.frame_ticks());
        self.talking = false;
        send(&header, &pressing.report());
        pressing.ends_told += u8::from(pressing.elapsed >= pressing.total);
        if pressing.ends_told == END_REPORTS {
            self.pressing = None;
        }
    }

    fn is_over(&self) -> bool {
        let over = |playing: &Playing| playing.next >= playing.prompt.packets();
        self.playing.as_ref().is_some_and(over)
    }

    /// Lets go of the prompt before its end is told: whoever is told may then
    /// drop the last reference.
    fn finish(&mut self, interrupted: bool, event: &mut impl FnMut(MediaEvent)) {
        if let Some(Playing { id, prompt, .. }) = self.playing.take() {
            drop(prompt);
            event(MediaEvent::PlayFinished { id, interrupted });
        }
    }
}

/// SplitMix64's finaliser: spreads the source's bits over sequence and timestamp.
fn scramble(ssrc: u32) -> u64 {
    let mut x = u64::from(ssrc).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codec::OPUS_SILENCE;

    const FRAME_TICKS: u32 = 960;
    const ID: PlayId = PlayId(1);

    fn playout(comfort_silence: bool) -> Playout {
        Playout::new(PlayoutConfig {
            payload_type: 111,
            codec: Codec::Opus,
            ssrc: 7,
            comfort_silence,
            telephone_event: Some(TelephoneEventFormat {
                payload_type: 110,
                clock_rate: 8_000,
            }),
        })
    }

    fn prompt() -> Arc<Prompt> {
        // 30 ms and the codec's delay: two packets.
        Prompt::from_samples(48_000, &[0.1; 1440]).unwrap()
    }

    fn frame(playout: &mut Playout) -> (Option<(RtpHeader, Vec<u8>)>, Vec<MediaEvent>) {
        let (mut sent, mut events) = (None, Vec::new());
        playout.frame(
            None,
            &mut |header, payload| sent = Some((*header, payload.to_vec())),
            &mut |event| events.push(event),
        );
        (sent, events)
    }

    #[test]
    fn a_prompt_from_start_to_end() {
        let mut playout = playout(true);
        let prompt = prompt();
        let idle = frame(&mut playout).0.unwrap();
        assert_eq!(idle.1, OPUS_SILENCE);
        assert!(!idle.0.marker);
        playout.play(ID, Arc::clone(&prompt), &mut |_| {
            panic!("nothing to interrupt")
        });
        let (first, events) = frame(&mut playout);
        let first = first.unwrap();
        assert_eq!(events, [MediaEvent::PlayStarted { id: ID }]);
        assert!(first.0.marker);
        assert_eq!(first.0.sequence, idle.0.sequence.wrapping_add(1));
        assert_eq!(first.0.timestamp, idle.0.timestamp.wrapping_add(960));
        assert_eq!(first.1, prompt.packet(0).unwrap());
        let (second, events) = frame(&mut playout);
        assert!(!second.unwrap().0.marker);
        assert!(events.is_empty());
        let (silence, events) = frame(&mut playout);
        assert_eq!(silence.unwrap().1, OPUS_SILENCE);
        let interrupted = false;
        assert_eq!(
            events,
            [MediaEvent::PlayFinished {
                id: ID,
                interrupted
            }]
        );
        assert_eq!(Arc::strong_count(&prompt), 1);
    }

    #[test]
    fn a_stop_takes_effect_in_the_next_frame() {
        let mut playout = playout(true);
        playout.play(ID, prompt(), &mut |_| {});
        frame(&mut playout);
        let mut events = Vec::new();
        playout.stop(&mut |event| events.push(event));
        let interrupted = true;
        assert_eq!(
            events,
            [MediaEvent::PlayFinished {
                id: ID,
                interrupted
            }]
        );
        assert_eq!(frame(&mut playout).0.unwrap().1, OPUS_SILENCE);
    }

    #[test]
    fn live_audio_fills_the_silence_and_yields_to_prompts() {
        let mut playout = playout(true);
        let mut sent = Vec::new();
        let mut frame = |playout: &mut Playout, live| {
            let mut send = |header: &RtpHeader, packet: &[u8]| {
                sent.push((header.marker, packet.to_vec()));
            };
            playout.frame(live, &mut send, &mut |_| {});
        };
        frame(&mut playout, Some(b"one"));
        frame(&mut playout, Some(b"two"));
        playout.play(ID, prompt(), &mut |_| {});
        frame(&mut playout, Some(b"lost"));
        playout.stop(&mut |_| {});
        frame(&mut playout, None);
        frame(&mut playout, Some(b"three"));
        let first = prompt().packet(0).unwrap().to_vec();
        let expected = [
            (true, b"one".to_vec()),
            (false, b"two".to_vec()),
            (false, first),
            (false, OPUS_SILENCE.to_vec()),
            (true, b"three".to_vec()),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_new_prompt_replaces_the_old_in_one_talk_spurt() {
        let mut playout = playout(true);
        playout.play(ID, prompt(), &mut |_| {});
        frame(&mut playout);
        let mut events = Vec::new();
        playout.play(PlayId(2), prompt(), &mut |event| events.push(event));
        let interrupted = true;
        assert_eq!(
            events,
            [MediaEvent::PlayFinished {
                id: ID,
                interrupted
            }]
        );
        let (packet, events) = frame(&mut playout);
        assert!(!packet.unwrap().0.marker);
        assert_eq!(events, [MediaEvent::PlayStarted { id: PlayId(2) }]);
    }

    #[test]
    fn without_comfort_silence_time_goes_on_but_packets_do_not() {
        let mut playout = playout(false);
        playout.play(ID, prompt(), &mut |_| {});
        let first = frame(&mut playout).0.unwrap().0;
        playout.stop(&mut |_| {});
        for _ in 0..9 {
            assert!(frame(&mut playout).0.is_none());
        }
        playout.play(ID, prompt(), &mut |_| {});
        let next = frame(&mut playout).0.unwrap().0;
        assert!(next.marker);
        assert_eq!(next.sequence, first.sequence.wrapping_add(1));
        assert_eq!(next.timestamp, first.timestamp.wrapping_add(9600));
    }

    #[test]
    fn a_key_is_reported_as_rfc_4733_says_while_the_prompt_waits() {
        let mut playout = playout(true);
        let prompt = prompt();
        playout.play(ID, Arc::clone(&prompt), &mut |_| {});
        let before = frame(&mut playout).0.unwrap().0;
        playout.press(Digit::from_char('#').unwrap(), 60);
        let reports: Vec<_> = (0..5).map(|_| frame(&mut playout).0.unwrap()).collect();
        let payloads: Vec<_> = reports.iter().map(|(_, payload)| payload.clone()).collect();
        assert_eq!(payloads[0], vec![11, 10, 0, 160]);
        assert_eq!(payloads[1], vec![11, 10, 1, 64]);
        for end in &payloads[2..] {
            assert_eq!(*end, vec![11, 0x80 | 10, 1, 224]);
        }
        for (n, (header, _)) in reports.iter().enumerate() {
            assert_eq!(header.marker, n == 0);
            assert_eq!(header.payload_type, 110);
            assert_eq!(header.timestamp, before.timestamp.wrapping_add(FRAME_TICKS));
            assert_eq!(header.sequence, before.sequence.wrapping_add(1 + n as u16));
        }
        let (after, payload) = frame(&mut playout).0.unwrap();
        assert_eq!(payload, prompt.packet(1).unwrap());
        assert_eq!(
            after.timestamp,
            before.timestamp.wrapping_add(6 * FRAME_TICKS)
        );
    }
}
