//! How loud a scripted person speaks, for those who watch.

use std::time::{Duration, Instant};

use switchboard_media::codec::{Decoder, MAX_FRAME};
use switchboard_media::event::{Digit, DigitSource, MediaEvent};
use switchboard_media::level::Meter;
use zeroize::Zeroizing;

use super::plan::Audio;

/// How often it is told.
pub(super) const LOOK: Duration = Duration::from_millis(100);
const PACKET_MS: u64 = 20;
/// The level of digital silence, in dBov (RFC 6464).
const SILENCE: f32 = -127.0;

/// What somebody says, measured as it is said: their session only hears the far end.
pub(super) struct Voice {
    /// When there was audio: what is told counts from here, as from a session's begin.
    began: Instant,
    saying: Option<Saying>,
}

struct Saying {
    audio: Audio,
    since: Instant,
    /// Packets that are measured.
    measured: usize,
    decoder: Decoder,
    meter: Meter,
}

impl Voice {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            saying: None,
        }
    }

    /// Speech begins.
    pub(super) fn say(&mut self, audio: Audio, now: Instant) -> Option<MediaEvent> {
        let decoder = Decoder::new().ok()?;
        self.saying = Some(Saying {
            audio,
            since: now,
            measured: 0,
            decoder,
            meter: Meter::new(),
        });
        Some(MediaEvent::SpeechStart {
            start_ms: self.time(now),
        })
    }

    /// Speech ends.
    pub(super) fn said(&mut self, now: Instant) -> Option<MediaEvent> {
        let Saying { since, .. } = self.saying.take()?;
        Some(MediaEvent::SpeechEnd {
            start_ms: self.time(since),
            end_ms: self.time(now),
        })
    }

    /// A key is pressed.
    pub(super) fn press(&self, digit: Digit, ms: u32, now: Instant) -> MediaEvent {
        MediaEvent::DigitEnd {
            digit,
            source: DigitSource::Rtp,
            start_ms: self.time(now),
            duration_ms: ms.into(),
        }
    }

    /// The level of what was said since the last look.
    pub(super) fn look(&mut self, now: Instant) -> MediaEvent {
        let saying = self.saying.as_mut();
        let dbov = saying.map_or(SILENCE, |saying| saying.measure(now));
        let t_ms = self.time(now);
        MediaEvent::Level { t_ms, dbov }
    }

    fn time(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.began).as_millis() as u64
    }
}

impl Saying {
    fn measure(&mut self, now: Instant) -> f32 {
        let passed = now.saturating_duration_since(self.since).as_millis() as u64;
        let until = usize::try_from(passed / PACKET_MS).unwrap_or(usize::MAX);
        let mut samples = Zeroizing::new([0.0; MAX_FRAME]);
        let mut loudest = SILENCE;
        while self.measured < until.min(self.audio.packets()) {
            let packet = self.audio.packet(self.measured).unwrap_or_default();
            let count = self.decoder.decode(packet, &mut samples[..]).unwrap_or(0);
            self.meter
                .push(&samples[..count], &mut |dbov| loudest = loudest.max(dbov));
            self.measured += 1;
        }
        loudest
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use switchboard_media::prompt::Prompt;

    use super::*;

    #[test]
    fn what_is_said_is_told_as_it_is_said() {
        let tone: Vec<f32> = (0..16_000).map(|n| 0.5 * (n as f32 * 0.3).sin()).collect();
        let audio = Prompt::from_samples(16_000, &tone).unwrap();
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let mut voice = Voice::new(began);
        let level = |event| match event {
            MediaEvent::Level { t_ms, dbov } => (t_ms, dbov > -12.0),
            other => panic!("{other:?}"),
        };
        assert_eq!(voice.said(at(50)), None, "nothing was said");
        assert_eq!(level(voice.look(at(100))), (100, false));
        let start = voice.say(audio, at(500));
        assert_eq!(start, Some(MediaEvent::SpeechStart { start_ms: 500 }));
        let levels: Vec<_> = (6..=12).map(|n| level(voice.look(at(n * 100)))).collect();
        assert!(
            levels.iter().filter(|(_, loud)| *loud).count() >= 6,
            "{levels:?}"
        );
        let (start_ms, end_ms) = (500, 1_500);
        let end = MediaEvent::SpeechEnd { start_ms, end_ms };
        assert_eq!(voice.said(at(1_500)), Some(end));
        assert_eq!(level(voice.look(at(1_600))), (1_600, false));
    }
}
