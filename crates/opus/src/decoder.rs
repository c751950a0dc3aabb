//! The decoder and what it may restore from later packets.

use std::ffi::c_int;
use std::ptr;

use crate::memory::Memory;
use crate::{Error, check, int, sys};

/// A mono decoder.
pub struct Decoder {
    state: Memory,
    rate: u32,
}

impl Decoder {
    /// A decoder in its initial state for `rate` samples per second: 8, 12, 16,
    /// 24 or 48 kHz.
    ///
    /// # Errors
    /// The rate is another one.
    pub fn new(rate: u32) -> Result<Self, Error> {
        // SAFETY: tells a size.
        let mut state = Memory::new(unsafe { sys::opus_decoder_get_size(1) });
        // SAFETY: the state has the size just told for one channel.
        check(unsafe { sys::opus_decoder_init(state.get_mut(), rate as c_int, 1) })?;
        Ok(Self { state, rate })
    }

    /// Sets what the decoder may spend, 0–10; from 5 on it conceals losses by
    /// its neural network, and [`restore`](Self::restore) has an effect.
    ///
    /// # Errors
    /// The number is out of range.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), Error> {
        let (request, value) = (sys::OPUS_SET_COMPLEXITY_REQUEST, c_int::from(complexity));
        // SAFETY: an initialised state and a request that takes an int.
        check(unsafe { sys::opus_decoder_ctl(self.state.get_mut(), request, value) })?;
        Ok(())
    }

    /// Decodes a packet into `out` and gives the number of samples.
    ///
    /// # Errors
    /// The packet is malformed, or `out` is too short for it.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        self.run(packet, out, false)
    }

    /// Fills `out` with what was lost directly before `next`, from its in-band
    /// FEC where it has it, by concealment where not.
    ///
    /// # Errors
    /// The packet is malformed, or the length not a multiple of 2.5 ms.
    pub fn recover(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, Error> {
        self.run(next, out, true)
    }

    /// Fills `out` by concealment.
    ///
    /// # Errors
    /// The length is not a multiple of 2.5 ms.
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        self.run(&[], out, false)
    }

    fn run(&mut self, packet: &[u8], out: &mut [f32], fec: bool) -> Result<usize, Error> {
        // To libopus a lost packet is no data.
        let data = if packet.is_empty() {
            ptr::null()
        } else {
            packet.as_ptr()
        };
        let (length, room) = (int(packet.len()), int(out.len()));
        let (state, out) = (self.state.get_mut(), out.as_mut_ptr());
        // SAFETY: an initialised state, `length` bytes, `room` samples of the
        // one channel.
        check(unsafe { sys::opus_decode_float(state, data, length, out, room, c_int::from(fec)) })
    }

    /// Fills `out` with what was lost, from a later packet's redundancy. `ahead`
    /// is how many samples before that packet's audio `out` begins. What the
    /// redundancy does not reach is concealed.
    ///
    /// # Errors
    /// The length is not a multiple of 2.5 ms.
    pub fn restore(
        &mut self,
        redundancy: &Redundancy,
        ahead: usize,
        out: &mut [f32],
    ) -> Result<usize, Error> {
        let (state, dred) = (self.state.get_mut(), redundancy.parsed.get());
        let (ahead, room) = (int(ahead), int(out.len()));
        // SAFETY: both states are initialised (of zeros, the redundancy holds
        // nothing), `out` has `room` samples of the one channel.
        check(unsafe {
            sys::opus_decoder_dred_decode_float(state, dred, ahead, out.as_mut_ptr(), room)
        })
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Forgets everything heard; the complexity stays.
    pub fn reset(&mut self) {
        // SAFETY: an initialised state and a request without argument, which
        // cannot fail.
        unsafe { sys::opus_decoder_ctl(self.state.get_mut(), sys::OPUS_RESET_STATE) };
    }
}

/// Deep redundancy (DRED) of a packet: a coarse copy of up to a second before
/// it, which libopus' encoder adds on request and old decoders skip.
pub struct Redundancy {
    decoder: Memory,
    parsed: Memory,
}

impl Redundancy {
    /// Room for one packet's redundancy.
    ///
    /// # Errors
    /// libopus was built without it.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: tell sizes.
        let (decoder, parsed) =
            unsafe { (sys::opus_dred_decoder_get_size(), sys::opus_dred_get_size()) };
        let (mut decoder, parsed) = (Memory::new(decoder), Memory::new(parsed));
        // SAFETY: the state has the size just told.
        check(unsafe { sys::opus_dred_decoder_init(decoder.get_mut()) })?;
        Ok(Self { decoder, parsed })
    }

    /// Reads a packet's redundancy, of the last `most` samples of `rate` before
    /// it; gives how far it reaches, 0 when there is none.
    ///
    /// # Errors
    /// The packet is malformed.
    pub fn read(&mut self, packet: &[u8], most: usize, rate: u32) -> Result<usize, Error> {
        let (decoder, parsed) = (self.decoder.get_mut(), self.parsed.get_mut());
        let (data, length) = (packet.as_ptr(), int(packet.len()));
        let mut end: c_int = 0;
        // SAFETY: both states have their size and are initialised or zero;
        // `length` bytes are read; the last 0 means: decode at once.
        let result = unsafe {
            sys::opus_dred_parse(
                decoder,
                parsed,
                data,
                length,
                int(most),
                rate as c_int,
                &mut end,
                0,
            )
        };
        check(result)
    }
}
