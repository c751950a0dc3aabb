//! What an engine hears of a call: features of every frame, and the samples of speech.
//!
//! Made from the leg's live audio beside the media threads, on the call's own task; a
//! slow task loses analysis, never playout.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use switchboard_media::engine::{Ears, LIVE_FRAME};
use switchboard_media::features::{Fbank, FbankConfig, LogMel, PitchTracker, WhisperBins};
use switchboard_nlp::{
    Event, FeatureFormat, FeatureKind, Features, Heard, SpeechFrame, Transient, Wants,
};
use zeroize::{Zeroize, Zeroizing};

use super::keeping::Recorder;

/// From one frame of features to the next.
const HOP_MS: u64 = 10;
/// Samples of 20 ms before the decision that somebody speaks: 500 ms. Speech begins
/// before it is noticed.
const BEFORE_SPEECH: usize = 25;

/// Which vectors engines get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureChoice {
    /// None: level, pitch and speech probability only.
    #[default]
    None,
    /// Whisper's log-mel spectrogram, 80 values, not normalised.
    LogMel,
    /// Kaldi's log filter bank, 80 values.
    Fbank,
}

impl FeatureChoice {
    /// As engines are told.
    pub(crate) fn format(self) -> FeatureFormat {
        let (kind, size) = match self {
            Self::None => (FeatureKind::None, 0),
            Self::LogMel => (FeatureKind::LogMel, 80),
            Self::Fbank => (FeatureKind::Fbank, 80),
        };
        let hop_ms = if size == 0 { 20 } else { HOP_MS as u16 };
        FeatureFormat { kind, size, hop_ms }
    }
}

enum Extractor {
    None,
    LogMel(Box<LogMel>),
    Fbank(Box<Fbank>),
}

impl Extractor {
    fn new(choice: FeatureChoice) -> Self {
        match choice {
            FeatureChoice::None => Self::None,
            FeatureChoice::LogMel => Self::LogMel(Box::new(LogMel::new(WhisperBins::B80))),
            FeatureChoice::Fbank => Self::Fbank(Box::new(Fbank::new(FbankConfig::default()))),
        }
    }

    /// Hands out the vectors that end in `samples`.
    fn push(&mut self, samples: &[f32], sink: &mut impl FnMut(&[f32])) {
        match self {
            Self::None => sink(&[]),
            Self::LogMel(features) => features.push(samples, &mut |frame| sink(frame)),
            Self::Fbank(features) => features.push(samples, &mut |frame, _| sink(frame)),
        }
    }
}

/// Makes an engine's analysis of what is heard, without IO.
pub(super) struct Analysis {
    choice: FeatureChoice,
    extractor: Extractor,
    pitch: PitchTracker,
    /// The newest: the tracker looks at 58 ms.
    pitch_hz: Option<f32>,
    /// Where the stream of vectors began.
    begun_ms: Option<u64>,
    vectors: u64,
    speaking: bool,
    before: VecDeque<(u64, Zeroizing<Vec<i16>>)>,
}

impl Analysis {
    pub(super) fn new(choice: FeatureChoice) -> Self {
        Self {
            choice,
            extractor: Extractor::new(choice),
            pitch: PitchTracker::new(),
            pitch_hz: None,
            begun_ms: None,
            vectors: 0,
            speaking: false,
            before: VecDeque::with_capacity(BEFORE_SPEECH + 1),
        }
    }

    /// Forgets what was heard: a secret was entered, or there was a gap.
    pub(super) fn forget(&mut self) {
        *self = Self {
            speaking: self.speaking,
            ..Self::new(self.choice)
        };
    }

    /// Somebody speaks from now on, or no longer: what was kept of before, if so.
    pub(super) fn speech(&mut self, speaking: bool) -> Vec<Heard> {
        self.speaking = speaking;
        match speaking {
            true => self.before.drain(..).map(speech_frame).collect(),
            false => Vec::new(),
        }
    }

    /// 20 ms that end at `end_ms`, with the probability that they are speech.
    pub(super) fn hear(
        &mut self,
        end_ms: u64,
        samples: &[f32; LIVE_FRAME],
        speech_probability: f32,
        wants: Wants,
    ) -> Vec<Heard> {
        let begin = end_ms.saturating_sub(20);
        let mut heard = Vec::with_capacity(3);
        if wants.audio {
            let frame = (begin, to_i16(samples));
            match self.speaking {
                true => heard.push(speech_frame(frame)),
                false => self.keep(frame),
            }
        }
        if wants.features {
            self.features(begin, samples, speech_probability, &mut heard);
        }
        heard
    }

    fn keep(&mut self, frame: (u64, Zeroizing<Vec<i16>>)) {
        if self.before.len() == BEFORE_SPEECH {
            self.before.pop_front();
        }
        self.before.push_back(frame);
    }

    fn features(
        &mut self,
        begin: u64,
        samples: &[f32; LIVE_FRAME],
        speech_probability: f32,
        heard: &mut Vec<Heard>,
    ) {
        let hz = &mut self.pitch_hz;
        self.pitch.push(samples, &mut |pitch| {
            *hz = pitch.is_voiced().then_some(pitch.hz);
        });
        let (pitch_hz, level_dbov) = (*hz, level(samples));
        let first = *self.begun_ms.get_or_insert(begin);
        let hop = u64::from(self.choice.format().hop_ms);
        let vectors = &mut self.vectors;
        self.extractor.push(samples, &mut |vector| {
            let features = Features {
                t_ms: first + *vectors * hop,
                level_dbov,
                pitch_hz,
                speech_probability,
                vector: vector.into(),
            };
            *vectors += 1;
            heard.push(Heard::Features(Transient::new(features)));
        });
    }
}

fn speech_frame((t_ms, samples): (u64, Zeroizing<Vec<i16>>)) -> Heard {
    Heard::Speech(Transient::new(SpeechFrame {
        t_ms,
        samples: samples.as_slice().into(),
    }))
}

fn to_i16(samples: &[f32]) -> Zeroizing<Vec<i16>> {
    let values = samples.iter();
    let values = values.map(|value| (value * 32_768.0).clamp(-32_768.0, 32_767.0) as i16);
    Zeroizing::new(values.collect())
}

/// RMS in dBov, −127…0 (RFC 6464 §3).
fn level(samples: &[f32]) -> f32 {
    let mean = samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32;
    (10.0 * mean.max(1e-13).log10()).clamp(-127.0, 0.0)
}

/// The leg's ears with what an engine gets of them.
pub(super) struct Listener {
    ears: Ears,
    analysis: Analysis,
    /// Whether the engine gets something.
    analysing: bool,
    listening: bool,
    /// Somebody's words are to be kept.
    pub(super) recorder: Option<Recorder>,
    frame: Zeroizing<[f32; LIVE_FRAME]>,
}

impl Listener {
    pub(super) fn new(ears: Ears, choice: FeatureChoice) -> Self {
        Self {
            ears,
            analysis: Analysis::new(choice),
            analysing: false,
            listening: false,
            recorder: None,
            frame: Zeroizing::new([0.0; LIVE_FRAME]),
        }
    }

    /// Whether [`hear`](Self::hear) is to be called every few milliseconds.
    pub(super) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Whether the engine gets something.
    pub(super) fn is_analysing(&self) -> bool {
        self.analysing
    }

    /// Listens while there is a use for it: the engine's, a voice agent's, or that words
    /// are to be kept.
    pub(super) fn attend(&mut self, wants: Wants, tapped: bool) {
        let wanted = wants.audio || wants.features;
        if wanted != self.analysing {
            self.analysing = wanted;
            // What was kept may be of a secret.
            self.analysis.forget();
        }
        let listening = wanted || tapped || self.recorder.is_some();
        if listening == self.listening {
            return;
        }
        self.listening = listening;
        self.ears.rest();
        if listening {
            self.ears.listen();
        }
    }

    pub(super) fn speech(&mut self, speaking: bool) -> Vec<Event> {
        if let Some(recorder) = &mut self.recorder {
            recorder.speech(speaking);
        }
        let kept = self.analysis.speech(speaking).into_iter();
        kept.map(Event::from).collect()
    }

    /// Keeps what is heard from now on.
    pub(super) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// What came since the last time; `tap` gets it as it is.
    pub(super) fn hear(
        &mut self,
        probability: f32,
        wants: Wants,
        tap: &mut impl FnMut(&[f32; LIVE_FRAME]),
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let frame = &mut self.frame;
        while let Some(end_ms) = self.ears.receive(|end_ms, samples| {
            frame.copy_from_slice(samples);
            end_ms
        }) {
            tap(frame);
            if let Some(recorder) = &mut self.recorder {
                recorder.push(&frame[..]);
            }
            if self.analysing {
                let heard = self.analysis.hear(end_ms, frame, probability, wants);
                events.extend(heard.into_iter().map(Event::from));
            }
        }
        self.frame.zeroize();
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Wants = Wants {
        features: true,
        audio: true,
        speakers: false,
    };

    fn tone(hz: f32, from: usize) -> [f32; LIVE_FRAME] {
        std::array::from_fn(|n| {
            let t = (from * LIVE_FRAME + n) as f32 / 16_000.0;
            0.5 * (std::f32::consts::TAU * hz * t).sin()
        })
    }

    fn speech_times(heard: &[Heard]) -> Vec<u64> {
        let times = heard.iter().filter_map(|heard| match heard {
            Heard::Speech(frame) => Some(frame.with(|frame| frame.t_ms)),
            _ => None,
        });
        times.collect()
    }

    #[test]
    fn features_come_every_10_ms_with_level_and_pitch() {
        for (choice, hop) in [
            (FeatureChoice::LogMel, 10),
            (FeatureChoice::Fbank, 10),
            (FeatureChoice::None, 20),
        ] {
            let mut analysis = Analysis::new(choice);
            let mut times = Vec::new();
            let mut last = None;
            for piece in 0..50 {
                for heard in
                    analysis.hear(1_020 + piece * 20, &tone(200.0, piece as usize), 0.9, BOTH)
                {
                    if let Heard::Features(features) = heard {
                        features.with(|one| {
                            times.push(one.t_ms);
                            last = Some((one.vector.len(), one.level_dbov, one.pitch_hz));
                        });
                    }
                }
            }
            assert_eq!(times[0], 1_000);
            assert!(
                times.windows(2).all(|two| two[1] - two[0] == hop),
                "{choice:?}"
            );
            assert!(
                times.last().is_some_and(|last| *last >= 1_960),
                "{choice:?}"
            );
            let (size, level, pitch) = last.unwrap();
            assert_eq!(size, usize::from(choice.format().size));
            assert!((-9.1..-8.9).contains(&level), "{level}");
            assert!(
                pitch.is_some_and(|hz| (198.0..202.0).contains(&hz)),
                "{pitch:?}"
            );
        }
    }

    #[test]
    fn samples_are_of_speech_and_half_a_second_before() {
        let mut analysis = Analysis::new(FeatureChoice::None);
        let wants = Wants {
            features: false,
            ..BOTH
        };
        for piece in 1..=100 {
            assert!(
                analysis
                    .hear(piece * 20, &tone(300.0, 0), 0.0, wants)
                    .is_empty()
            );
        }
        let before = speech_times(&analysis.speech(true));
        assert_eq!(
            (before.first(), before.last(), before.len()),
            (Some(&1_500), Some(&1_980), 25)
        );
        assert_eq!(
            speech_times(&analysis.hear(2_020, &tone(300.0, 0), 1.0, wants)),
            [2_000]
        );
        analysis.speech(false);
        assert!(analysis.hear(2_040, &tone(300.0, 0), 0.0, wants).is_empty());
    }

    #[test]
    fn nothing_is_kept_of_a_secret() {
        let mut analysis = Analysis::new(FeatureChoice::None);
        let wants = Wants {
            features: false,
            ..BOTH
        };
        analysis.hear(20, &tone(697.0, 0), 0.0, wants);
        analysis.forget();
        assert!(analysis.speech(true).is_empty());
    }
}
