//! Events to frames.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{AnalysisKind, Frame, HEADER_LEN, SOURCE_LEN, VERSION};
use crate::{
    CallState, Direction, Event, FeatureKind, Features, Heard, Party, SessionStart, Speaker,
    SpeechFrame, Transient,
};

/// A control message, as it looks in JSON.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Control<'a> {
    SessionStart {
        version: u8,
        resumed: bool,
        call: &'a str,
        direction: &'static str,
        caller: PartyJson<'a>,
        called: PartyJson<'a>,
        language: &'a str,
        features: FormatJson,
    },
    SpeechStart {
        t_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        speaker: Option<SpeakerJson<'a>>,
    },
    SpeechEnd {
        t_ms: u64,
        duration_ms: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        speaker: Option<SpeakerJson<'a>>,
    },
    Digits {
        #[serde(skip_serializing_if = "Option::is_none")]
        digits: Option<&'a str>,
        secret: bool,
    },
    PromptStarted {
        name: &'a str,
    },
    PromptFinished {
        name: &'a str,
        interrupted: bool,
    },
    CallState {
        state: &'static str,
    },
    SessionEnd,
}

#[derive(Serialize)]
struct PartyJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
}

impl<'a> From<&'a Party> for PartyJson<'a> {
    fn from(party: &'a Party) -> Self {
        Self {
            id: party.id.as_deref(),
            name: party.name.as_deref(),
            number: party.number.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct SpeakerJson<'a> {
    source: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant: Option<&'a str>,
    #[serde(flatten)]
    party: PartyJson<'a>,
}

impl<'a> From<&'a Speaker> for SpeakerJson<'a> {
    fn from(speaker: &'a Speaker) -> Self {
        Self {
            source: speaker.source,
            participant: speaker.participant.as_deref(),
            party: (&speaker.party).into(),
        }
    }
}

#[derive(Serialize)]
struct FormatJson {
    kind: &'static str,
    size: u16,
    hop_ms: u16,
}

/// The frame of an event. `sequence` numbers the binary frames, so that an engine
/// sees which are missing.
pub(super) fn encode(event: &Event, sequence: u32) -> Frame {
    match event {
        Event::SessionStart(start) => session_start(start, false),
        Event::Features(features) => encode_features(features, None, sequence),
        Event::Speech(frame) => encode_speech(frame, None, sequence),
        Event::SpeechStart { t_ms } => speech_start(*t_ms, None),
        Event::SpeechEnd { t_ms, duration_ms } => speech_end(*t_ms, *duration_ms, None),
        Event::Speaker(who, heard) => encode_heard(who, heard, sequence),
        Event::Digits(digits) => digits.with(|digits| {
            control(&Control::Digits {
                digits,
                secret: digits.is_none(),
            })
        }),
        Event::PromptStarted { name } => control(&Control::PromptStarted { name }),
        Event::PromptFinished { name, interrupted } => control(&Control::PromptFinished {
            name,
            interrupted: *interrupted,
        }),
        Event::CallState(state) => control(&Control::CallState {
            state: state_name(*state),
        }),
        Event::SessionEnd => control(&Control::SessionEnd),
    }
}

/// The frame of what was heard of one of a conference's speakers.
fn encode_heard(who: &Speaker, heard: &Heard, sequence: u32) -> Frame {
    let source = Some(who.source);
    match heard {
        Heard::Features(features) => encode_features(features, source, sequence),
        Heard::Speech(frame) => encode_speech(frame, source, sequence),
        Heard::SpeechStart { t_ms } => speech_start(*t_ms, Some(who)),
        Heard::SpeechEnd { t_ms, duration_ms } => speech_end(*t_ms, *duration_ms, Some(who)),
    }
}

fn speech_start(t_ms: u64, speaker: Option<&Speaker>) -> Frame {
    let speaker = speaker.map(SpeakerJson::from);
    control(&Control::SpeechStart { t_ms, speaker })
}

fn speech_end(t_ms: u64, duration_ms: u64, speaker: Option<&Speaker>) -> Frame {
    control(&Control::SpeechEnd {
        t_ms,
        duration_ms,
        speaker: speaker.map(SpeakerJson::from),
    })
}

/// The first message of a connection; `resumed` when the call had one before.
pub(super) fn session_start(start: &SessionStart, resumed: bool) -> Frame {
    control(&Control::SessionStart {
        version: VERSION,
        resumed,
        call: &start.call,
        direction: match start.direction {
            Direction::Incoming => "incoming",
            Direction::Outgoing => "outgoing",
        },
        caller: (&start.caller).into(),
        called: (&start.called).into(),
        language: &start.language,
        features: FormatJson {
            kind: match start.features.kind {
                FeatureKind::None => "none",
                FeatureKind::LogMel => "log_mel",
                FeatureKind::Fbank => "fbank",
            },
            size: start.features.size,
            hop_ms: start.features.hop_ms,
        },
    })
}

fn state_name(state: CallState) -> &'static str {
    match state {
        CallState::Establishing => "establishing",
        CallState::Established => "established",
        CallState::Hold => "hold",
        CallState::Transferring => "transferring",
        CallState::TransferFailed => "transfer_failed",
        CallState::Terminated => "terminated",
    }
}

/// Larger than any control message, so that growing leaves no unwiped copy.
const CONTROL_CAPACITY: usize = 1024;

fn control(message: &Control<'_>) -> Frame {
    let mut json = Zeroizing::new(Vec::with_capacity(CONTROL_CAPACITY));
    // Writing plain structs to memory can't fail.
    let written = serde_json::to_writer(&mut *json, message);
    debug_assert!(written.is_ok());
    Frame::Text(json)
}

fn encode_features(features: &Transient<Features>, source: Option<u32>, sequence: u32) -> Frame {
    features.with(|features| {
        let size = 12 + 4 * features.vector.len();
        let kind = match source {
            None => AnalysisKind::Features,
            Some(_) => AnalysisKind::SpeakerFeatures,
        };
        let mut bytes = header(kind, source, sequence, features.t_ms, size);
        let scalars = [
            features.level_dbov,
            features.pitch_hz.unwrap_or(0.0),
            features.speech_probability,
        ];
        for value in scalars.iter().chain(&features.vector) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        Frame::Binary(bytes)
    })
}

fn encode_speech(frame: &Transient<SpeechFrame>, source: Option<u32>, sequence: u32) -> Frame {
    frame.with(|frame| {
        let size = 2 * frame.samples.len();
        let kind = match source {
            None => AnalysisKind::Speech,
            Some(_) => AnalysisKind::SpeakerSpeech,
        };
        let mut bytes = header(kind, source, sequence, frame.t_ms, size);
        for sample in &frame.samples {
            bytes.extend_from_slice(&sample.to_le_bytes());
        }
        Frame::Binary(bytes)
    })
}

/// What is before a payload of `size` bytes.
fn header(
    kind: AnalysisKind,
    source: Option<u32>,
    sequence: u32,
    t_ms: u64,
    size: usize,
) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_LEN + SOURCE_LEN + size));
    bytes.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&t_ms.to_le_bytes());
    if let Some(source) = source {
        bytes.extend_from_slice(&source.to_le_bytes());
    }
    bytes
}
