//! What the pipeline tells the application about a leg.
//!
//! Times are media time: milliseconds of audio since the leg (or file) started,
//! counted in samples, so that replaying a recording gives the same figures as
//! the live call.

use std::fmt;

/// One of the sixteen DTMF signals (ITU-T Q.23, RFC 4733 §3.2 events 0–15).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    /// All sixteen in the order of their RFC 4733 event codes.
    pub const ALL: [Digit; 16] = {
        let mut all = [Digit(0); 16];
        let mut code = 0;
        while code < 16 {
            all[code] = Digit(code as u8);
            code += 1;
        }
        all
    };

    /// The digit of an RFC 4733 event code; `None` for codes above 15, which are
    /// not DTMF.
    pub fn from_event_code(code: u8) -> Option<Self> {
        (code < 16).then_some(Self(code))
    }

    /// The digit of a key: `0`–`9`, `*`, `#`, `A`–`D` (either case).
    pub fn from_char(key: char) -> Option<Self> {
        let code = match key.to_ascii_uppercase() {
            key @ '0'..='9' => key as u8 - b'0',
            '*' => 10,
            '#' => 11,
            key @ 'A'..='D' => key as u8 - b'A' + 12,
            _ => return None,
        };
        Some(Self(code))
    }

    /// The RFC 4733 event code, 0–15.
    pub fn event_code(self) -> u8 {
        self.0
    }

    /// The key's face.
    pub fn as_char(self) -> char {
        char::from(b"0123456789*#ABCD"[usize::from(self.0)])
    }
}

/// Which key was pressed is the caller's secret (a card number, a PIN), so a
/// debug print never shows it.
impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(_)")
    }
}

/// How a digit reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitSource {
    /// An RTP telephone event (RFC 4733).
    Rtp,
    /// A tone pair heard in the audio.
    Inband,
}

impl DigitSource {
    /// The name used in JSON output: `rtp` or `inband`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtp => "rtp",
            Self::Inband => "inband",
        }
    }
}

/// Identifies one `play` request on one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayId(pub u64);

/// Something the pipeline heard or did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MediaEvent {
    /// A digit is being pressed; sent as soon as it is certain.
    DigitStart {
        /// Which.
        digit: Digit,
        /// By which way it came first.
        source: DigitSource,
        /// Where its tone began.
        start_ms: u64,
    },
    /// The digit announced by the last `DigitStart` was released.
    DigitEnd {
        /// Which.
        digit: Digit,
        /// By which way it came first.
        source: DigitSource,
        /// Where its tone began.
        start_ms: u64,
        /// How long it lasted.
        duration_ms: u64,
    },
    /// The caller began to speak.
    SpeechStart {
        /// Where the speech began (earlier than the decision).
        start_ms: u64,
    },
    /// The caller stopped speaking.
    SpeechEnd {
        /// Where the speech began.
        start_ms: u64,
        /// Where it ended (earlier than the decision).
        end_ms: u64,
    },
    /// Speech probability of one analysis frame; only when asked for.
    Vad {
        /// Where the frame begins.
        t_ms: u64,
        /// Probability of speech, 0–1.
        p: f32,
    },
    /// The meter, ten times a second.
    Level {
        /// Where the measured span ends.
        t_ms: u64,
        /// RMS level of the span in dBov (RFC 6464 §3: −127…0).
        dbov: f32,
    },
    /// From here on it is this source that is heard: what the one before had open has
    /// ended. Only of a leg that is to tell
    /// ([`LegConfig::sources`](crate::engine::LegConfig::sources)).
    Source {
        /// As of [`RtpHeader::source`](crate::rtp::RtpHeader::source).
        source: u32,
    },
    /// The first packet of a prompt was handed to the network.
    PlayStarted {
        /// Which request.
        id: PlayId,
    },
    /// A prompt is over.
    PlayFinished {
        /// Which request.
        id: PlayId,
        /// `true` when it was stopped before its end.
        interrupted: bool,
    },
}
