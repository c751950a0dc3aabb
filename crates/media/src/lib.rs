//! Real-time audio for calling bots: RTP in, digits, speech and levels out,
//! prompts back; no sockets, no files.
//!
//! A packet's path, top to bottom:
//! [`rtp`] → [`jitter`] → [`codec`] → [`analysis`] ([`dtmf`], [`vad`], [`level`];
//! telephone events branch off before the jitter buffer) → [`event`].
//! Back: [`wav`] → [`resample`] → [`prompt`] → [`playout`] → network.
//! Beside the path: [`features`] for speech models, [`mixer`] for conferences.
//! [`engine`] runs both directions of every leg on its worker threads.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod analysis;
pub mod codec;
pub mod dtmf;
pub mod engine;
pub mod event;
pub mod features;
pub mod flag;
pub mod jitter;
mod lanes;
pub mod level;
pub mod mixer;
pub mod ogg;
pub mod pcap;
pub mod playout;
pub mod prompt;
pub mod receive;
pub mod resample;
pub mod rtp;
mod said;
pub mod silero;
/// What [`flag`] is made of; its test has it of other stuff.
mod sync {
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
}
pub mod telephone_event;
pub mod tone;
pub mod vad;
pub mod wav;
