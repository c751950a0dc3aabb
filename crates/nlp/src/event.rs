//! What an engine is told about a call.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::Transient;

/// One thing that happened in a call.
///
/// Times are media time: milliseconds of the caller's audio since the call's
/// media began, so that they agree with the frames' own.
pub enum Event {
    /// The call is up. Always the first event.
    SessionStart(SessionStart),
    /// Features of one frame.
    Features(Transient<Features>),
    /// Samples of one frame inside (or just before) speech; only for engines that
    /// asked for them.
    Speech(Transient<SpeechFrame>),
    /// The caller began to speak.
    SpeechStart {
        /// Where the speech began.
        t_ms: u64,
    },
    /// The caller stopped speaking.
    SpeechEnd {
        /// Where the speech ended.
        t_ms: u64,
        /// How long it was.
        duration_ms: u64,
    },
    /// One of a conference's speakers was heard apart from the others; only for engines
    /// that asked for [`Wants::speakers`](crate::Wants::speakers). Everything above is of
    /// all together.
    Speaker(Arc<Speaker>, Heard),
    /// The caller pressed keys.
    Digits(Digits),
    /// A prompt began to play.
    PromptStarted {
        /// The configured name, or the id of the engine's [`crate::Say`].
        name: String,
    },
    /// A prompt is over.
    PromptFinished {
        /// As in [`Event::PromptStarted`].
        name: String,
        /// `true` when it was cut short.
        interrupted: bool,
    },
    /// Call control moved on.
    CallState(CallState),
    /// The call is over. Always the last event.
    SessionEnd,
}

impl Event {
    /// `true` for what is made from audio, frame by frame: the part that may be
    /// dropped when an engine is slow, and must be kept back while the caller
    /// enters a secret.
    pub fn is_analysis(&self) -> bool {
        matches!(
            self,
            Self::Features(_)
                | Self::Speech(_)
                | Self::Speaker(_, Heard::Features(_) | Heard::Speech(_))
        )
    }
}

/// What was heard of somebody.
///
/// Times of one of a conference's speakers are of the line that carries them: milliseconds
/// since somebody was first heard in it. A line is another speaker's from time to time.
pub enum Heard {
    /// As [`Event::Features`].
    Features(Transient<Features>),
    /// As [`Event::Speech`].
    Speech(Transient<SpeechFrame>),
    /// As [`Event::SpeechStart`].
    SpeechStart {
        /// Where the speech began.
        t_ms: u64,
    },
    /// As [`Event::SpeechEnd`].
    SpeechEnd {
        /// Where the speech ended.
        t_ms: u64,
        /// How long it was.
        duration_ms: u64,
    },
}

/// Heard of the caller, or of all who are in a call.
impl From<Heard> for Event {
    fn from(heard: Heard) -> Self {
        match heard {
            Heard::Features(features) => Self::Features(features),
            Heard::Speech(frame) => Self::Speech(frame),
            Heard::SpeechStart { t_ms } => Self::SpeechStart { t_ms },
            Heard::SpeechEnd { t_ms, duration_ms } => Self::SpeechEnd { t_ms, duration_ms },
        }
    }
}

/// Somebody in a conference who is heard apart from the others.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Speaker {
    /// What they are heard by: a `sourceId` of the roster's `mediaStreams`.
    pub source: u32,
    /// The participant's id on the roster, once they are there.
    pub participant: Option<String>,
    /// Who that is.
    pub party: Party,
}

/// The facts of a call, known when it begins.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SessionStart {
    /// The call's id in call control.
    pub call: String,
    /// Who called whom.
    pub direction: Direction,
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub called: Party,
    /// The language the caller is expected to speak (BCP 47, `en-US`).
    pub language: String,
    /// What [`Event::Features`] will carry.
    pub features: FeatureFormat,
}

/// Which way a call was set up (Graph's `callDirection`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// Somebody called the bot.
    #[default]
    Incoming,
    /// The bot called.
    Outgoing,
}

/// One end of a call, as far as it is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// Graph's identity id.
    pub id: Option<String>,
    /// The name shown to people.
    pub name: Option<String>,
    /// The phone number (E.164), of callers from the telephone network.
    pub number: Option<String>,
}

/// What the vectors of a call's features are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeatureFormat {
    /// Which features.
    pub kind: FeatureKind,
    /// How many there are in a frame.
    pub size: u16,
    /// From one frame to the next, in milliseconds.
    pub hop_ms: u16,
}

/// A family of feature vectors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FeatureKind {
    /// No vector: level, pitch and speech probability only.
    #[default]
    None,
    /// Whisper's log-mel spectrogram.
    LogMel,
    /// Kaldi's log mel filter bank.
    Fbank,
}

/// What the pipeline measured over one frame of the caller's audio.
#[derive(Default, Zeroize)]
pub struct Features {
    /// Where the frame begins.
    pub t_ms: u64,
    /// RMS level in dBov, −127…0.
    pub level_dbov: f32,
    /// Fundamental frequency in hertz, where the frame is voiced.
    pub pitch_hz: Option<f32>,
    /// Probability of speech, 0–1.
    pub speech_probability: f32,
    /// The vector, as [`SessionStart::features`] says.
    pub vector: Box<[f32]>,
}

/// Samples of one frame.
#[derive(Zeroize)]
pub struct SpeechFrame {
    /// Where the frame begins.
    pub t_ms: u64,
    /// 16 kHz, mono, 16-bit.
    pub samples: Box<[i16]>,
}

/// Keys the caller pressed.
///
/// Secret ones have no representation: an engine learns that they were entered,
/// and there is nothing to leak.
pub struct Digits(Option<Transient<String>>);

impl Digits {
    /// Keys that an engine may know.
    pub fn open(keys: String) -> Self {
        Self(Some(Transient::new(keys)))
    }

    /// Keys that only the conversation may know.
    pub fn secret() -> Self {
        Self(None)
    }

    /// Lends the keys; `None` when they are secret.
    pub fn with<R>(&self, read: impl FnOnce(Option<&str>) -> R) -> R {
        match &self.0 {
            Some(keys) => keys.with(|keys| read(Some(keys))),
            None => read(None),
        }
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits(_)")
    }
}

/// Where call control stands (Graph's `callState`, as far as an engine can care).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallState {
    /// Being set up.
    Establishing,
    /// Media can flow.
    Established,
    /// Put on hold by the other side.
    Hold,
    /// On its way to somebody else.
    Transferring,
    /// The transfer failed; the caller is back.
    TransferFailed,
    /// Over.
    Terminated,
}
