//! All choices of a case, taken from bytes that proptest makes and shrinks.

use std::time::Duration;

/// When it is used up every choice is the harmless one, so that a case ends in fair weather.
pub(crate) struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn next(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }

    /// A delay of up to 20 s, short ones more often.
    pub(crate) fn delay(&mut self) -> Duration {
        let byte = u64::from(self.next());
        Duration::from_millis(5 + byte * byte * 20_000 / (255 * 255))
    }

    /// True in about `of` of 256 cases, false in fair weather.
    pub(crate) fn chance(&mut self, of: u8) -> bool {
        self.next() > 255 - of
    }
}
