//! The encoder.

use std::ffi::c_int;

use crate::memory::Memory;
use crate::{Error, check, int, sys};

/// A mono encoder for speech (`OPUS_APPLICATION_VOIP`).
pub struct Encoder {
    state: Memory,
}

impl Encoder {
    /// An encoder in its initial state for `rate` samples per second: 8, 12, 16,
    /// 24 or 48 kHz.
    ///
    /// # Errors
    /// The rate is another one.
    pub fn new(rate: u32) -> Result<Self, Error> {
        // SAFETY: tells a size.
        let mut state = Memory::new(unsafe { sys::opus_encoder_get_size(1) });
        let application = sys::OPUS_APPLICATION_VOIP;
        let made =
            // SAFETY: the state has the size just told for one channel.
            unsafe { sys::opus_encoder_init(state.get_mut(), rate as c_int, 1, application) };
        check(made)?;
        Ok(Self { state })
    }

    fn set(&mut self, request: c_int, value: c_int) -> Result<(), Error> {
        // SAFETY: an initialised state; all requests used here take an int.
        check(unsafe { sys::opus_encoder_ctl(self.state.get_mut(), request, value) })?;
        Ok(())
    }

    /// Sets the rate, 500–512 000 bit/s.
    ///
    /// # Errors
    /// The rate is not positive.
    pub fn set_bitrate(&mut self, bits_per_second: i32) -> Result<(), Error> {
        self.set(sys::OPUS_SET_BITRATE_REQUEST, bits_per_second)
    }

    /// Adds in-band FEC: each packet may hold a coarser copy of the one before.
    ///
    /// # Errors
    /// None on a valid encoder.
    pub fn set_inband_fec(&mut self, on: bool) -> Result<(), Error> {
        self.set(sys::OPUS_SET_INBAND_FEC_REQUEST, c_int::from(on))
    }

    /// Tells how many packets of 100 are lost, by which FEC takes its share.
    ///
    /// # Errors
    /// The number is above 100.
    pub fn set_packet_loss(&mut self, percent: u8) -> Result<(), Error> {
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, c_int::from(percent))
    }

    /// Adds deep redundancy of so many times 10 ms, 0–104, as far as the rate
    /// allows.
    ///
    /// # Errors
    /// The number is out of range.
    pub fn set_redundancy(&mut self, frames: u8) -> Result<(), Error> {
        self.set(sys::OPUS_SET_DRED_DURATION_REQUEST, c_int::from(frames))
    }

    /// Samples by which the decoded audio lags.
    ///
    /// # Errors
    /// None on a valid encoder.
    pub fn lookahead(&mut self) -> Result<usize, Error> {
        let (request, mut samples) = (sys::OPUS_GET_LOOKAHEAD_REQUEST, 0 as c_int);
        let out: *mut c_int = &mut samples;
        // SAFETY: an initialised state and a request that writes an int.
        check(unsafe { sys::opus_encoder_ctl(self.state.get_mut(), request, out) })?;
        check(samples)
    }

    /// Encodes a frame (2.5–120 ms, −1…1) into `out` and gives the length.
    ///
    /// # Errors
    /// `frame` has a length Opus does not know, or `out` is too short.
    pub fn encode(&mut self, frame: &[f32], out: &mut [u8]) -> Result<usize, Error> {
        let (pcm, samples) = (frame.as_ptr(), int(frame.len()));
        let (state, room) = (self.state.get_mut(), int(out.len()));
        // SAFETY: an initialised state, `samples` of the one channel, `room`
        // bytes.
        check(unsafe { sys::opus_encode_float(state, pcm, samples, out.as_mut_ptr(), room) })
    }

    /// Forgets everything encoded; the settings stay.
    pub fn reset(&mut self) {
        // SAFETY: an initialised state and a request without argument, which
        // cannot fail.
        unsafe { sys::opus_encoder_ctl(self.state.get_mut(), sys::OPUS_RESET_STATE) };
    }
}
