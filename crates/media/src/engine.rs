//! Runs both directions of every leg on a few media worker threads.
//!
//! ```text
//!  transport task                worker thread (tick)              call's task
//!  NetworkSide ──packets──▶ Receiver ──▶ Analyzer ──MediaEvent──▶ AppSide
//!              ◀─packets─── Playout ◀────── play / stop ───────────
//! ```
//!
//! Every arrow is a bounded lock-free ring; packets travel in boxed slots that
//! come back by a second ring. A leg's memory is allocated by the thread that
//! opens it and freed by a reaper thread, so that a worker neither allocates,
//! locks nor frees while it serves packets.

mod events;
mod leg;
mod live;
mod pipeline;
mod punctuality;
mod slot;
mod stats;
mod stepper;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use thiserror::Error;

pub use leg::{AppSide, Dropped, Leg, NetworkSide, PlayError};
pub use live::{Ears, LIVE_FRAME, LiveAudio, Voice, VoiceError};
pub use punctuality::{Lateness, Punctuality};
pub use slot::MAX_PAYLOAD;
pub use stats::LegStats;
pub use stepper::Stepper;

use crate::codec::{Codec, EncoderError};
use crate::receive::{FormatError, ReceiverError, TelephoneEventFormat};
use crate::vad::SpeechConfig;
use worker::Workers;

/// How the engine runs.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// Legs one worker takes before [`Engine::open`] refuses.
    pub legs_per_worker: usize,
    /// How often a worker looks which legs were called or are due, 1–20 ms. A packet
    /// waits half of it on average before it is heard.
    pub tick: Duration,
}

impl Default for EngineConfig {
    /// One worker per core, 1 000 legs each, a tick every 2.5 ms.
    fn default() -> Self {
        Self {
            workers: 0,
            legs_per_worker: 1000,
            tick: Duration::from_micros(2500),
        }
    }
}

impl EngineConfig {
    fn check(&self) -> Result<(), EngineError> {
        if !(1..=20).contains(&self.tick.as_millis()) {
            return Err(EngineError::Config("tick must be 1-20 ms"));
        }
        if self.legs_per_worker == 0 {
            return Err(EngineError::Config("legs_per_worker must be at least 1"));
        }
        Ok(())
    }
}

/// One leg's formats and wishes.
#[derive(Debug, Clone, Copy)]
pub struct LegConfig {
    /// Payload type of the audio in both directions, as negotiated.
    pub payload_type: u8,
    /// What that audio is coded with.
    pub codec: Codec,
    /// Payload types of telephone events, as negotiated: browsers offer one at
    /// 48 kHz and one at 8 kHz.
    pub telephone_events: [Option<TelephoneEventFormat>; 2],
    /// SSRC of the packets we send.
    pub ssrc: u32,
    /// Send a [`MediaEvent::Vad`](crate::event::MediaEvent::Vad) per analysis
    /// frame.
    pub vad_frames: bool,
    /// Send silence while no prompt plays: browsers keep their jitter
    /// buffer warm and middleboxes their bindings. `false` sends nothing.
    pub comfort_silence: bool,
    /// Give the application the leg's audio and take live audio from it
    /// ([`Leg::live`]): costs 100 kB a leg.
    pub live: bool,
    /// What comes is [`Format::L16`](crate::receive::Format::L16) of this payload type, in
    /// place of [`codec`](Self::codec), which is what is sent all the same.
    pub linear_payload_type: Option<u8>,
    /// Decode and analyse what comes. `false` for a leg that only speaks, such as
    /// a caller's in a load test: packets are counted and forgotten.
    pub hear: bool,
    /// The echo of what is said is no speech: for callers whose telephones give back what
    /// they play, such as gateways without echo cancellation. It is known by its likeness to
    /// what was said up to 484 ms before; whoever speaks into a prompt is noticed some 20 ms
    /// later than otherwise. Takes 60 kB a leg.
    pub guard_echo: bool,
    /// What pause ends what somebody says.
    pub speech: SpeechConfig,
    /// Tell whose audio comes ([`MediaEvent::Source`](crate::event::MediaEvent::Source)):
    /// for a stream that a conference hands from one speaker to another.
    pub sources: bool,
}

impl LegConfig {
    /// Opus at `payload_type`, sent as `ssrc`; no telephone events, no
    /// frame-by-frame voice activity, silence sent between prompts.
    pub fn new(payload_type: u8, ssrc: u32) -> Self {
        Self {
            payload_type,
            codec: Codec::Opus,
            telephone_events: [None; 2],
            ssrc,
            vad_frames: false,
            comfort_silence: true,
            live: false,
            linear_payload_type: None,
            hear: true,
            guard_echo: false,
            speech: SpeechConfig::default(),
            sources: false,
        }
    }
}

/// Why the engine or a leg could not be started.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A value of the configuration is out of its range.
    #[error("media engine configuration: {0}")]
    Config(&'static str),
    /// The system refused a thread.
    #[error("media worker thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    /// Every worker has as many legs as it may.
    #[error("media engine is full: {legs} legs open; add workers or refuse the call")]
    Full {
        /// Legs alive now.
        legs: usize,
    },
    /// A payload type or clock of the leg is out of range or used twice.
    #[error("leg formats: {0}")]
    Format(#[from] FormatError),
    /// A codec could not be made.
    #[error(transparent)]
    Codec(#[from] ReceiverError),
    /// The encoder of live audio could not be made.
    #[error("live audio cannot be encoded: {0}")]
    Encoder(#[from] EncoderError),
}

/// The worker threads. Clones share them; when the last clone is dropped they
/// stop, and legs still open fall silent (their sides stay safe to use).
#[derive(Clone)]
pub struct Engine {
    workers: Arc<Workers>,
    alive: Arc<AtomicUsize>,
}

impl Engine {
    /// Starts the worker threads.
    ///
    /// # Errors
    /// [`EngineError`] when the configuration is out of range or a thread
    /// cannot be made.
    pub fn start(config: EngineConfig) -> Result<Self, EngineError> {
        config.check()?;
        Ok(Self {
            workers: Arc::new(Workers::start(&config)?),
            alive: Arc::new(AtomicUsize::new(0)),
        })
    }

    /// An engine without threads: its one worker does what is due when the [`Stepper`] is
    /// told what time it is, be that the time of a clock or not.
    ///
    /// # Errors
    /// [`EngineError::Config`] when the configuration is out of range.
    pub fn stepped(config: EngineConfig) -> Result<(Self, Stepper), EngineError> {
        config.check()?;
        let (workers, stepper) = Workers::stepped(&config);
        let engine = Self {
            workers: Arc::new(workers),
            alive: Arc::new(AtomicUsize::new(0)),
        };
        Ok((engine, stepper))
    }

    /// Opens a leg: allocates its pipeline here, on the caller's thread, and
    /// hands it to the least busy worker.
    ///
    /// # Errors
    /// [`EngineError::Full`] when no worker takes more, [`EngineError::Codec`]
    /// when libopus has no memory, [`EngineError::Format`] when a payload type
    /// is above 127 or used twice.
    pub fn open(&self, config: LegConfig) -> Result<Leg, EngineError> {
        self.open_waking(config, Waker::noop().clone())
    }

    /// As [`open`](Self::open); the worker wakes `waker` at the end of a tick
    /// that left packets for the network or events for the application. It must
    /// not block: a flag, and a system call only when the flag was down.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_waking(&self, config: LegConfig, waker: Waker) -> Result<Leg, EngineError> {
        let (leg, pipeline) = leg::build(&config, waker, &self.alive)?;
        match self.workers.assign(pipeline) {
            Ok(()) => Ok(leg),
            Err(refused) => {
                drop((refused, leg));
                Err(EngineError::Full { legs: self.legs() })
            }
        }
    }

    /// How late the workers have been since they were started.
    pub fn punctuality(&self) -> Punctuality {
        self.workers.counters().read()
    }

    /// Legs whose memory is still held; 0 once every leg is closed and reaped
    /// (a few ticks after its sides are dropped).
    pub fn legs(&self) -> usize {
        self.alive.load(Ordering::Acquire)
    }
}
