//! Events to frames.

use serde::Serialize;
use zeroize::Zeroizing;

use super::{AnalysisKind, Frame, HEADER_LEN, VERSION};
use crate::{CallState, Direction, Event, FeatureKind, Features, Party, SessionStart, SpeechFrame};

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
    },
    SpeechEnd {
        t_ms: u64,
        duration_ms: u64,
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
        Event::Features(features) => features.with(|features| encode_features(features, sequence)),
        Event::Speech(speech) => speech.with(|frame| encode_speech(frame, sequence)),
        Event::SpeechStart { t_ms } => control(&Control::SpeechStart { t_ms: *t_ms }),
        Event::SpeechEnd { t_ms, duration_ms } => control(&Control::SpeechEnd {
            t_ms: *t_ms,
            duration_ms: *duration_ms,
        }),
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

fn encode_features(features: &Features, sequence: u32) -> Frame {
    let size = HEADER_LEN + 12 + 4 * features.vector.len();
    let mut bytes = header(AnalysisKind::Features, sequence, features.t_ms, size);
    let scalars = [
        features.level_dbov,
        features.pitch_hz.unwrap_or(0.0),
        features.speech_probability,
    ];
    for value in scalars.iter().chain(&features.vector) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    Frame::Binary(bytes)
}

fn encode_speech(frame: &SpeechFrame, sequence: u32) -> Frame {
    let size = HEADER_LEN + 2 * frame.samples.len();
    let mut bytes = header(AnalysisKind::Speech, sequence, frame.t_ms, size);
    for sample in &frame.samples {
        bytes.extend_from_slice(&sample.to_le_bytes());
    }
    Frame::Binary(bytes)
}

fn header(kind: AnalysisKind, sequence: u32, t_ms: u64, size: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size));
    bytes.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&t_ms.to_le_bytes());
    bytes
}
