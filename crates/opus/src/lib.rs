//! libopus (RFC 6716) as far as calls need it: a mono decoder with deep
//! redundancy (DRED), a mono encoder for speech, a packet's duration.
//!
//! Why not a finished binding: none lets a lost stretch be decoded from DRED at
//! an offset, and all leave the signal history in freed memory. Here the states
//! live in memory of ours, made once and wiped on drop; no call allocates.

mod decoder;
mod encoder;
mod memory;

pub use decoder::{Decoder, Redundancy};
pub use encoder::Encoder;

use std::ffi::{CStr, c_int};

use opusic_sys as sys;

/// libopus' verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("libopus: {} ({code})", text(*code))]
pub struct Error {
    code: c_int,
}

impl Error {
    /// Whether the packet is at fault, not the call.
    pub fn is_malformed(self) -> bool {
        self.code == sys::OPUS_INVALID_PACKET
    }
}

fn text(code: c_int) -> &'static str {
    // SAFETY: gives a static string for any number.
    let text = unsafe { CStr::from_ptr(sys::opus_strerror(code)) };
    text.to_str().unwrap_or("unknown error")
}

/// A result of libopus: an error where negative.
fn check(result: c_int) -> Result<usize, Error> {
    usize::try_from(result).map_err(|_| Error { code: result })
}

/// A length for libopus; one beyond `i32` is as bad an argument to it as any.
fn int(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// Duration of a packet in samples of `rate` (8, 12, 16, 24 or 48 kHz).
///
/// # Errors
/// The packet is malformed: empty, or longer than 120 ms.
pub fn duration(packet: &[u8], rate: u32) -> Result<usize, Error> {
    let (data, len) = (packet.as_ptr(), int(packet.len()));
    // SAFETY: reads the `len` bytes given, and none of an empty packet.
    check(unsafe { sys::opus_packet_get_nb_samples(data, len, rate as c_int) })
}

/// The library's own name and version.
pub fn version() -> &'static str {
    // SAFETY: gives a static string.
    let text = unsafe { CStr::from_ptr(sys::opus_get_version_string()) };
    text.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
