//! The streaming protocols behind one face: what a call has to say to an agent, and
//! what the agent wants.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{StreamError, acs, twilio};
use crate::Transient;

/// What an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Twilio Media Streams: µ-law at 8 kHz.
    Twilio,
    /// Azure Communication Services' audio streaming: 16-bit PCM.
    Acs {
        /// 16 000 or 24 000 Hz.
        sample_rate: u32,
    },
}

impl Protocol {
    /// Of the audio in both directions, in Hz.
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::Twilio => 8_000,
            Self::Acs { sample_rate } => sample_rate,
        }
    }

    /// Bytes of a sample.
    pub fn sample_size(self) -> usize {
        match self {
            Self::Twilio => 1,
            Self::Acs { .. } => 2,
        }
    }

    /// Bytes of 20 ms, in which audio goes to the agent.
    pub fn frame_size(self) -> usize {
        self.sample_rate() as usize / 50 * self.sample_size()
    }
}

/// What an agent is told of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallInfo {
    /// The call's id in call control.
    pub call: String,
    /// Told to agents whose protocol has a place for it.
    pub parameters: BTreeMap<String, String>,
}

/// What an agent wants.
pub(super) enum Wanted {
    Audio(Transient<Vec<u8>>),
    Mark(String),
    Clear,
    Nothing,
}

/// Our end of one connection.
pub(super) enum Speaker {
    Twilio(twilio::Stream),
    Acs {
        call: String,
        sample_rate: u32,
        began: OffsetDateTime,
    },
}

impl Speaker {
    pub(super) fn new(protocol: Protocol, info: &CallInfo, began: OffsetDateTime) -> Self {
        match protocol {
            Protocol::Twilio => Self::Twilio(twilio::Stream::new(twilio_info(info))),
            Protocol::Acs { sample_rate } => Self::Acs {
                call: info.call.clone(),
                sample_rate,
                began,
            },
        }
    }

    pub(super) fn greeting(&mut self) -> Vec<Zeroizing<String>> {
        match self {
            Self::Twilio(stream) => vec![stream.connected(), stream.start()],
            Self::Acs {
                call, sample_rate, ..
            } => vec![acs::metadata(&acs::Metadata {
                subscription_id: call.clone(),
                sample_rate: *sample_rate,
                length: Some(*sample_rate / 25),
            })],
        }
    }

    /// 20 ms that begin `t_ms` after the stream did.
    pub(super) fn heard(&mut self, t_ms: u64, audio: &[u8]) -> Zeroizing<String> {
        match self {
            Self::Twilio(stream) => stream.media(t_ms, audio),
            Self::Acs { began, .. } => {
                let silent = audio.iter().all(|byte| *byte == 0);
                acs::audio(audio, *began + Duration::from_millis(t_ms), None, silent)
            }
        }
    }

    pub(super) fn digit(&mut self, digit: char) -> Zeroizing<String> {
        match self {
            Self::Twilio(stream) => stream.dtmf(digit),
            Self::Acs { .. } => acs::dtmf(digit),
        }
    }

    pub(super) fn mark(&mut self, name: &str) -> Option<Zeroizing<String>> {
        match self {
            Self::Twilio(stream) => Some(stream.mark(name)),
            Self::Acs { .. } => None,
        }
    }

    pub(super) fn farewell(&mut self) -> Option<Zeroizing<String>> {
        match self {
            Self::Twilio(stream) => Some(stream.stop()),
            Self::Acs { .. } => None,
        }
    }

    pub(super) fn receive(&self, text: &str) -> Result<Wanted, StreamError> {
        Ok(match self {
            Self::Twilio(_) => match twilio::receive(text)? {
                twilio::FromAgent::Media(audio) => Wanted::Audio(audio),
                twilio::FromAgent::Mark(name) => Wanted::Mark(name),
                twilio::FromAgent::Clear => Wanted::Clear,
                twilio::FromAgent::Unknown => Wanted::Nothing,
            },
            Self::Acs { .. } => match acs::from_application(text)? {
                acs::FromApplication::Audio(audio) => Wanted::Audio(audio),
                acs::FromApplication::StopAudio => Wanted::Clear,
                acs::FromApplication::Unknown => Wanted::Nothing,
            },
        })
    }
}

/// Ids of Twilio's form, made of the call's own: agents log them, and some check.
fn twilio_info(info: &CallInfo) -> twilio::StreamInfo {
    let hexadecimal = info.call.bytes().filter(u8::is_ascii_hexdigit);
    let mut digits: String = hexadecimal
        .map(|digit| char::from(digit.to_ascii_lowercase()))
        .collect();
    digits.truncate(32);
    let digits = format!("{digits:0<32}");
    let mut custom_parameters = info.parameters.clone();
    custom_parameters.insert("call".to_owned(), info.call.clone());
    twilio::StreamInfo {
        stream_sid: format!("MZ{digits}"),
        call_sid: format!("CA{digits}"),
        account_sid: format!("AC{:0<32}", ""),
        custom_parameters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calls_id_makes_ids_of_twilios_form() {
        let info = twilio_info(&CallInfo {
            call: "2E1a0b00-77c1-4ad8-a7d0-5c0b1f2d3e4f".into(),
            parameters: BTreeMap::from([("desk".into(), "front".into())]),
        });
        assert_eq!(info.stream_sid, "MZ2e1a0b0077c14ad8a7d05c0b1f2d3e4f");
        assert_eq!(info.call_sid[2..], info.stream_sid[2..]);
        assert_eq!(info.account_sid.len(), 34);
        assert_eq!(info.custom_parameters.len(), 2);
        assert_eq!(twilio_info(&CallInfo::default()).call_sid.len(), 34);
    }

    #[test]
    fn frames_are_20_ms() {
        assert_eq!(Protocol::Twilio.frame_size(), 160);
        let acs = |sample_rate| Protocol::Acs { sample_rate };
        assert_eq!(
            (acs(16_000).frame_size(), acs(24_000).frame_size()),
            (640, 960)
        );
    }
}
