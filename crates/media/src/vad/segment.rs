//! Spans of speech out of frames, with hysteresis.
//!
//! The network tells that there is speech, the levels where its sound begins
//! and ends.

use thiserror::Error;

use super::cues::Cues;
use super::echo::Sound;
use super::{Mask, SLICE_MS};

/// Slices this probable begin speech.
const LIKELY: f32 = 0.5;
/// Slices this probable are speech even where its level tells nothing, in noise
/// as loud as itself.
const SURE: f32 = 0.8;
/// A slice this probable, or more, is speech that goes on.
const GOES_ON: f32 = 0.35;
/// Speech begins at least this much above the floor, and goes on this much
/// above it, in dB.
const MIN_RISE: f32 = 6.0;
const MIN_ABOVE: f32 = 3.0;
/// What is so much quieter than the loudest is no part of the speech, in dB.
const RANGE: f32 = 32.0;
/// Slices in which the beginning of the sound is looked for: half a second.
const LOOK_BACK: usize = 500 / SLICE_MS as usize;

/// Whether there is what may be speech in a slice.
pub(super) fn sound(p: f32, cues: Cues) -> Sound {
    match cues.above {
        above if above >= MIN_RISE => Sound::Audible,
        above if above >= MIN_ABOVE && p >= SURE => Sound::Audible,
        above if above >= MIN_ABOVE => Sound::Faint,
        _ => Sound::None,
    }
}

/// How spans are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechConfig {
    pause_ms: u64,
}

/// A pause that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a pause of {0} ms to end speech is outside 100-5000 ms")]
pub struct SpeechConfigError(pub u64);

impl Default for SpeechConfig {
    /// Speech ends with a pause of 550 ms.
    fn default() -> Self {
        Self { pause_ms: 550 }
    }
}

impl SpeechConfig {
    /// Speech ends with a pause of `pause_ms`; shorter ones are bridged.
    ///
    /// # Errors
    /// [`SpeechConfigError`] when it is outside 100–5 000 ms.
    pub fn with_pause_ms(pause_ms: u64) -> Result<Self, SpeechConfigError> {
        if (100..=5000).contains(&pause_ms) {
            Ok(Self { pause_ms })
        } else {
            Err(SpeechConfigError(pause_ms))
        }
    }
}

/// Speech began or ended. Times are milliseconds of audio since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEvent {
    /// Speech began.
    Start {
        /// Where, earlier than the decision.
        start_ms: u64,
    },
    /// Speech ended.
    End {
        /// Where it began.
        start_ms: u64,
        /// Where it ended, a pause earlier than the decision.
        end_ms: u64,
    },
}

/// A span that goes on.
#[derive(Clone, Copy)]
struct Span {
    start_ms: u64,
    /// Where its last slice ended.
    end_ms: u64,
    /// Level of its loudest slice in dBov.
    loudest: f32,
}

pub(super) struct Segmenter {
    config: SpeechConfig,
    span: Option<Span>,
    /// Levels of the last slices; those no speech may begin in are −∞.
    levels: [f32; LOOK_BACK],
    /// Where the last slice ended.
    now_ms: u64,
}

impl Segmenter {
    pub(super) fn new(config: SpeechConfig) -> Self {
        Self {
            config,
            span: None,
            levels: [f32::NEG_INFINITY; LOOK_BACK],
            now_ms: 0,
        }
    }

    /// Takes the next slice.
    pub(super) fn push(&mut self, p: f32, cues: Cues, mask: Mask) -> Option<SpeechEvent> {
        self.now_ms += SLICE_MS;
        let voice = mask != Mask::Closed && !cues.tonal && !cues.echo;
        self.levels.rotate_left(1);
        self.levels[LOOK_BACK - 1] = if voice && cues.above >= MIN_ABOVE {
            cues.level
        } else {
            f32::NEG_INFINITY
        };
        match self.span {
            None if voice && mask == Mask::Open => self.quiet(p, cues),
            None => None,
            Some(span) => self.speech(span, p, cues, voice),
        }
    }

    fn quiet(&mut self, p: f32, cues: Cues) -> Option<SpeechEvent> {
        if p < SURE && (p < LIKELY || cues.above < MIN_RISE) {
            return None;
        }
        let loudest = self.levels.iter().copied().fold(cues.level, f32::max);
        let sound = |level: &f32| *level >= loudest - RANGE;
        let first = self.levels.iter().position(sound);
        let slices = LOOK_BACK - first.unwrap_or(LOOK_BACK - 1);
        let start_ms = self.now_ms.saturating_sub(slices as u64 * SLICE_MS);
        self.span = Some(Span {
            start_ms,
            end_ms: self.now_ms,
            loudest,
        });
        Some(SpeechEvent::Start { start_ms })
    }

    fn speech(&mut self, mut span: Span, p: f32, cues: Cues, voice: bool) -> Option<SpeechEvent> {
        let heard = p >= SURE || p >= GOES_ON && cues.above >= MIN_ABOVE;
        if voice && heard && cues.level >= span.loudest - RANGE {
            span.end_ms = self.now_ms;
            span.loudest = span.loudest.max(cues.level);
        }
        self.span = Some(span);
        if self.now_ms < span.end_ms + self.config.pause_ms {
            return None;
        }
        self.finish()
    }

    /// Ends the speech that goes on.
    pub(super) fn finish(&mut self) -> Option<SpeechEvent> {
        let Span {
            start_ms, end_ms, ..
        } = self.span.take()?;
        // What is over can't be the beginning of the next.
        self.levels = [f32::NEG_INFINITY; LOOK_BACK];
        Some(SpeechEvent::End { start_ms, end_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slices `(how many, probability, level, above the floor)` one after another.
    fn hear(slices: &[(usize, f32, f32, f32)], mask: Mask) -> Vec<(u64, SpeechEvent)> {
        let mut segmenter = Segmenter::new(SpeechConfig::with_pause_ms(320).unwrap());
        let (mut heard, mut now_ms) = (Vec::new(), 0);
        for &(count, p, level, above) in slices {
            for _ in 0..count {
                now_ms += SLICE_MS;
                let cues = Cues {
                    level,
                    above,
                    tonal: false,
                    echo: false,
                };
                let event = segmenter.push(p, cues, mask);
                heard.extend(event.map(|event| (now_ms, event)));
            }
        }
        heard
    }

    fn start(start_ms: u64) -> SpeechEvent {
        SpeechEvent::Start { start_ms }
    }

    fn end(start_ms: u64, end_ms: u64) -> SpeechEvent {
        SpeechEvent::End { start_ms, end_ms }
    }

    #[test]
    fn one_likely_slice_begins_speech_where_its_sound_began() {
        let heard = hear(
            &[
                (10, 0.1, -60.0, 0.0),
                (2, 0.3, -40.0, 20.0),
                (1, 0.6, -30.0, 30.0),
            ],
            Mask::Open,
        );
        assert_eq!(heard, [(208, start(160))]);
    }

    #[test]
    fn a_pause_ends_speech_and_a_shorter_one_does_not() {
        let speech = (10, 0.9, -30.0, 30.0);
        let quiet = |count| (count, 0.05, -60.0, 0.0);
        let heard = hear(&[speech, quiet(19), speech, quiet(20)], Mask::Open);
        assert_eq!(heard, [(16, start(0)), (944, end(0, 624))]);
    }

    #[test]
    fn less_goes_on_than_begins() {
        let doubtful = (30, 0.4, -35.0, 25.0);
        assert_eq!(hear(&[doubtful], Mask::Open), []);
        let heard = hear(&[(1, 0.9, -30.0, 30.0), doubtful], Mask::Open);
        assert_eq!(heard, [(16, start(0))]);
    }

    #[test]
    fn in_noise_as_loud_as_speech_its_probability_decides() {
        let (noise, speech) = ((30, 0.1, -30.0, 1.0), (30, 0.9, -29.0, 2.0));
        let heard = hear(&[noise, speech, noise], Mask::Open);
        assert_eq!(heard, [(496, start(480)), (1280, end(480, 960))]);
    }

    #[test]
    fn what_rings_on_in_the_network_ends_with_its_sound() {
        let heard = hear(
            &[
                (10, 0.9, -30.0, 30.0),
                (6, 0.9, -65.0, 0.0),
                (14, 0.1, -65.0, 0.0),
            ],
            Mask::Open,
        );
        assert_eq!(heard, [(16, start(0)), (480, end(0, 160))]);
    }

    #[test]
    fn no_speech_begins_while_a_key_is_or_may_be_pressed() {
        for mask in [Mask::Closed, Mask::Doubtful] {
            assert_eq!(hear(&[(50, 0.9, -30.0, 30.0)], mask), []);
        }
    }
}
