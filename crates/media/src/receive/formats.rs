//! What RTP payload types mean on one leg.

use thiserror::Error;

use crate::codec::{Codec, OPUS_CLOCK, RATE, opus_duration};

/// A negotiated telephone-event format (RFC 4733 §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// RTP payload type, 0–127.
    pub payload_type: u8,
    /// Clock of timestamps and durations in Hz, usually 8 000 or 48 000.
    pub clock_rate: u32,
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 µ-law at 8 kHz (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 A-law at 8 kHz.
    Pcma,
    /// G.722 at 64 kbit/s (RFC 3551 §4.5.2), statically payload type 9.
    G722,
    /// 16-bit linear samples, mono at 16 kHz (RFC 3551 §4.5.11): audio that came by a
    /// stream of its own.
    L16,
    /// Telephone events (RFC 4733).
    TelephoneEvent {
        /// Their clock in Hz.
        clock_rate: u32,
    },
}

impl From<Codec> for Format {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Opus => Self::Opus,
            Codec::G722 => Self::G722,
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
        }
    }
}

impl Format {
    /// The RTP clock in Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => Codec::Opus.clock_rate(),
            Self::Pcmu | Self::Pcma | Self::G722 => Codec::Pcmu.clock_rate(),
            Self::L16 => RATE,
            Self::TelephoneEvent { clock_rate } => clock_rate,
        }
    }

    /// Duration of a payload's audio in ticks; 0 when it holds none or is
    /// malformed.
    pub(super) fn ticks(self, payload: &[u8]) -> u32 {
        match self {
            Self::Opus => opus_duration(payload, OPUS_CLOCK).unwrap_or(0),
            // A byte per tick, in G.722 too: two samples of 16 kHz.
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len() as u32,
            Self::L16 => payload.len() as u32 / 2,
            Self::TelephoneEvent { .. } => 0,
        }
    }
}

/// Why a format cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormatError {
    /// Payload types are 0–127.
    #[error("RTP payload type {0} is above 127")]
    PayloadType(u8),
    /// Two formats of one payload type.
    #[error("RTP payload type {0} is used for two formats")]
    Taken(u8),
    /// A clock of 0 Hz, or faster than any.
    #[error("telephone-event clock of {0} Hz is outside 1-192000")]
    ClockRate(u32),
}

/// A leg's payload types.
#[derive(Debug, Clone, Copy)]
pub struct Formats {
    by_type: [Option<Format>; 128],
}

impl Default for Formats {
    fn default() -> Self {
        Self {
            by_type: [None; 128],
        }
    }
}

impl Formats {
    /// No format at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what `payload_type` means.
    ///
    /// # Errors
    /// [`FormatError`] when the type is out of range or has a meaning already,
    /// or the clock is out of range.
    pub fn with(mut self, payload_type: u8, format: Format) -> Result<Self, FormatError> {
        let rate = format.clock_rate();
        if !(1..=192_000).contains(&rate) {
            return Err(FormatError::ClockRate(rate));
        }
        match self.by_type.get_mut(usize::from(payload_type)) {
            None => return Err(FormatError::PayloadType(payload_type)),
            Some(Some(_)) => return Err(FormatError::Taken(payload_type)),
            Some(place) => *place = Some(format),
        }
        Ok(self)
    }

    /// What `payload_type` means; `None` for an unknown one.
    pub fn get(&self, payload_type: u8) -> Option<Format> {
        *self.by_type.get(usize::from(payload_type))?
    }

    /// Whether no payload type means anything.
    pub fn is_empty(&self) -> bool {
        self.by_type.iter().all(Option::is_none)
    }

    /// Whether any payload type means `format`.
    pub fn has(&self, format: Format) -> bool {
        self.by_type.contains(&Some(format))
    }

    /// The clock the jitter of a leg is measured by: Opus' where there is
    /// Opus, then that of linear audio, else that of G.711 and G.722.
    pub fn clock_rate(&self) -> u32 {
        if self.has(Format::Opus) {
            OPUS_CLOCK
        } else if self.has(Format::L16) {
            RATE
        } else {
            Codec::Pcmu.clock_rate()
        }
    }
}
