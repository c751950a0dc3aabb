//! Messages of an engine to replies, and binary frames to events for engines
//! written in Rust.

use std::sync::Arc;

use serde::Deserialize;

use super::{AnalysisKind, DecodeError, FromEngine, HEADER_LEN, Ready, SOURCE_LEN, VERSION};
use crate::{
    Action, Collect, Event, Features, Heard, Intent, Reply, Say, Sentiment, Slot, Speaker,
    SpeechFrame, Transcript, Transient, Utterance,
};

/// A message of an engine, as it looks in JSON.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Ready {
        version: u8,
        #[serde(default)]
        features: bool,
        #[serde(default)]
        audio: bool,
        #[serde(default)]
        speakers: bool,
    },
    Partial {
        text: String,
        confidence: Option<f32>,
    },
    Final {
        text: String,
        confidence: Option<f32>,
    },
    Intent {
        name: String,
        #[serde(default = "certain")]
        confidence: f32,
        #[serde(default)]
        slots: Vec<SlotJson>,
    },
    Sentiment {
        score: f32,
    },
    EndOfTurn,
    Nothing,
    Say {
        #[serde(default)]
        id: String,
        text: Option<String>,
        prompt: Option<String>,
        #[serde(default = "yes")]
        interruptible: bool,
    },
    StopSpeaking,
    Collect(CollectJson),
    Transfer {
        to: String,
    },
    Invite {
        who: String,
    },
    Mute {
        #[serde(default = "yes")]
        muted: bool,
    },
    HangUp,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct SlotJson {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(default)]
struct CollectJson {
    min: u8,
    max: u8,
    terminator: Option<char>,
    first_timeout_ms: u32,
    inter_digit_timeout_ms: u32,
    secret: bool,
}

impl Default for CollectJson {
    fn default() -> Self {
        let Collect {
            min,
            max,
            terminator,
            first_timeout_ms,
            inter_digit_timeout_ms,
            secret,
        } = Collect::default();
        Self {
            min,
            max,
            terminator,
            first_timeout_ms,
            inter_digit_timeout_ms,
            secret,
        }
    }
}

fn certain() -> f32 {
    1.0
}

fn yes() -> bool {
    true
}

/// The longest text of an utterance or transcript, in bytes.
const LONGEST_TEXT: usize = 4_096;
/// The longest name, id or number.
const LONGEST_NAME: usize = 256;
/// The most slots of an intent.
const MOST_SLOTS: usize = 32;
/// The longest an engine may make the bot wait for a key.
const LONGEST_WAIT_MS: u32 = 120_000;

/// Reads a text message of an engine.
///
/// # Errors
/// It isn't a message of this protocol; nothing of it is in the error.
pub fn decode(text: &str) -> Result<FromEngine, DecodeError> {
    let message: Message = serde_json::from_str(text).map_err(|error| DecodeError::Json {
        line: error.line(),
        column: error.column(),
    })?;
    let reply = match message {
        Message::Ready {
            version,
            features,
            audio,
            speakers,
        } => {
            return Ok(FromEngine::Ready(Ready {
                version,
                features,
                audio,
                speakers,
            }));
        }
        Message::Unknown => return Ok(FromEngine::Unknown),
        Message::Partial { text, confidence } => transcript(text, confidence, false)?,
        Message::Final { text, confidence } => transcript(text, confidence, true)?,
        Message::Intent {
            name,
            confidence,
            slots,
        } => intent(name, confidence, slots)?,
        Message::Sentiment { score } => Reply::Sentiment(Transient::new(Sentiment {
            score: within("score", score, -1.0, 1.0)?,
        })),
        Message::EndOfTurn => Reply::EndOfTurn,
        action => Reply::Action(self::action(action)?),
    };
    Ok(FromEngine::Reply(reply))
}

fn action(message: Message) -> Result<Action, DecodeError> {
    Ok(match message {
        Message::Say {
            id,
            text,
            prompt,
            interruptible,
        } => Action::Say(Say {
            id: short("id", id, LONGEST_NAME)?,
            what: utterance(text, prompt)?,
            interruptible,
        }),
        Message::StopSpeaking => Action::StopSpeaking,
        Message::Collect(json) => Action::Collect(collect(&json)?),
        Message::Transfer { to } => Action::Transfer {
            to: named("to", to)?,
        },
        Message::Invite { who } => Action::Invite {
            who: named("who", who)?,
        },
        Message::Mute { muted } => Action::Mute { muted },
        Message::HangUp => Action::HangUp,
        _ => Action::Nothing,
    })
}

fn transcript(text: String, confidence: Option<f32>, is_final: bool) -> Result<Reply, DecodeError> {
    let confidence = confidence.map(|value| within("confidence", value, 0.0, 1.0));
    Ok(Reply::Text(Transcript {
        text: Transient::new(short("text", text, LONGEST_TEXT)?),
        is_final,
        confidence: confidence.transpose()?,
    }))
}

fn intent(name: String, confidence: f32, slots: Vec<SlotJson>) -> Result<Reply, DecodeError> {
    if slots.len() > MOST_SLOTS {
        return Err(DecodeError::Field("slots", "at most 32 of them"));
    }
    let slots = slots.into_iter().map(|slot| {
        Ok(Slot {
            name: named("slots.name", slot.name)?,
            value: short("slots.value", slot.value, LONGEST_TEXT)?,
        })
    });
    Ok(Reply::Intent(Transient::new(Intent {
        name: named("name", name)?,
        confidence: within("confidence", confidence, 0.0, 1.0)?,
        slots: slots.collect::<Result<_, _>>()?,
    })))
}

fn utterance(text: Option<String>, prompt: Option<String>) -> Result<Utterance, DecodeError> {
    match (text, prompt) {
        (Some(text), None) if !text.trim().is_empty() => Ok(Utterance::Text(Transient::new(
            short("text", text, LONGEST_TEXT)?,
        ))),
        (None, Some(prompt)) => Ok(Utterance::Prompt(named("prompt", prompt)?)),
        _ => Err(DecodeError::Field("say", "either text or prompt")),
    }
}

fn collect(json: &CollectJson) -> Result<Collect, DecodeError> {
    let key = |key: char| matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
    if json.max == 0 || json.max > 32 || json.min > json.max {
        return Err(DecodeError::Field("max", "1 to 32, and not below min"));
    }
    if json.terminator.is_some_and(|terminator| !key(terminator)) {
        return Err(DecodeError::Field("terminator", "one of 0-9 * # A-D"));
    }
    for (field, wait) in [
        ("first_timeout_ms", json.first_timeout_ms),
        ("inter_digit_timeout_ms", json.inter_digit_timeout_ms),
    ] {
        if !(1..=LONGEST_WAIT_MS).contains(&wait) {
            return Err(DecodeError::Field(field, "1 to 120000"));
        }
    }
    Ok(Collect {
        min: json.min,
        max: json.max,
        terminator: json.terminator,
        first_timeout_ms: json.first_timeout_ms,
        inter_digit_timeout_ms: json.inter_digit_timeout_ms,
        secret: json.secret,
    })
}

fn within(field: &'static str, value: f32, low: f32, high: f32) -> Result<f32, DecodeError> {
    match (low..=high).contains(&value) {
        true => Ok(value),
        false if low < 0.0 => Err(DecodeError::Field(field, "-1 to 1")),
        false => Err(DecodeError::Field(field, "0 to 1")),
    }
}

fn named(field: &'static str, value: String) -> Result<String, DecodeError> {
    match value.is_empty() {
        true => Err(DecodeError::Field(field, "not empty")),
        false => short(field, value, LONGEST_NAME),
    }
}

fn short(field: &'static str, value: String, longest: usize) -> Result<String, DecodeError> {
    match value.len() <= longest {
        true => Ok(value),
        false => Err(DecodeError::Field(field, "shorter")),
    }
}

/// Reads a binary frame: its sequence number and the event.
///
/// # Errors
/// It isn't a frame of this version, or it is cut short.
pub fn decode_analysis(bytes: &[u8]) -> Result<(u32, Event), DecodeError> {
    let (header, payload) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(DecodeError::Binary("16 bytes of header"))?;
    let [version, kind, _, _, s0, s1, s2, s3, time @ ..] = *header;
    if version != VERSION {
        return Err(DecodeError::Binary("version 1"));
    }
    let t_ms = u64::from_le_bytes(time);
    let event = if kind == AnalysisKind::Features as u8 {
        features(t_ms, payload)?.into()
    } else if kind == AnalysisKind::Speech as u8 {
        speech(t_ms, payload)?.into()
    } else if kind == AnalysisKind::SpeakerFeatures as u8 {
        let (who, payload) = speaker(payload)?;
        Event::Speaker(who, features(t_ms, payload)?)
    } else if kind == AnalysisKind::SpeakerSpeech as u8 {
        let (who, payload) = speaker(payload)?;
        Event::Speaker(who, speech(t_ms, payload)?)
    } else {
        return Err(DecodeError::Binary("a kind from 1 to 4"));
    };
    Ok((u32::from_le_bytes([s0, s1, s2, s3]), event))
}

/// Whose frame it is, as far as a binary frame says, and the rest.
fn speaker(payload: &[u8]) -> Result<(Arc<Speaker>, &[u8]), DecodeError> {
    let (source, rest) = payload
        .split_first_chunk::<SOURCE_LEN>()
        .ok_or(DecodeError::Binary("4 bytes of source"))?;
    let speaker = Speaker {
        source: u32::from_le_bytes(*source),
        ..Speaker::default()
    };
    Ok((Arc::new(speaker), rest))
}

fn features(t_ms: u64, payload: &[u8]) -> Result<Heard, DecodeError> {
    let (values, rest) = payload.as_chunks::<4>();
    let [level, pitch, speech, vector @ ..] = values else {
        return Err(DecodeError::Binary("three values before the vector"));
    };
    if !rest.is_empty() {
        return Err(DecodeError::Binary("whole 32-bit values"));
    }
    let pitch = f32::from_le_bytes(*pitch);
    Ok(Heard::Features(Transient::new(Features {
        t_ms,
        level_dbov: f32::from_le_bytes(*level),
        pitch_hz: (pitch > 0.0).then_some(pitch),
        speech_probability: f32::from_le_bytes(*speech),
        vector: vector
            .iter()
            .map(|value| f32::from_le_bytes(*value))
            .collect(),
    })))
}

fn speech(t_ms: u64, payload: &[u8]) -> Result<Heard, DecodeError> {
    let (samples, rest) = payload.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(DecodeError::Binary("whole 16-bit samples"));
    }
    let samples = samples
        .iter()
        .map(|sample| i16::from_le_bytes(*sample))
        .collect();
    Ok(Heard::Speech(Transient::new(SpeechFrame { t_ms, samples })))
}
