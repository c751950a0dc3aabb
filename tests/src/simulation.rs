//! Bot and emulator, whole, on virtual time: everything but sockets and sound.
//!
//! One thread, tokio's clock stopped, all chance from one seed: callers, faults, latencies,
//! outages, a bot that is killed and comes back. What is said between the two is logged; the
//! same seed gives the same log, byte for byte. Between them are `wire`s in the network's
//! place; what must hold whatever happens is checked there and at the end.

mod chance;
mod people;
mod plan;
mod record;
mod strangers;
mod wire;
mod world;

use std::sync::Arc;

use switchboard_bot::Script;
use switchboard_bot::flow::Flow;
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::{Transport, TransportConfig};

use crate::Failure;

pub use plan::{Act, Agent, CallerPlan, Plan, Span};
pub use record::Tally;

use chance::Chance;

/// The bot's flow: Graph handles its media, so that there are no packets.
const FLOW: &str = include_str!("simulation/flow.toml");

/// What all simulations of a process share.
pub struct Stage {
    client: reqwest::Client,
    transport: Transport,
    script: Arc<Script>,
}

/// What a simulation came to.
pub struct Outcome {
    /// What was said, a line for each request, notification and event.
    pub log: String,
    /// What should not have happened.
    pub wrongs: Vec<String>,
    /// What did.
    pub tally: Tally,
}

impl Stage {
    /// Makes what takes long to make.
    ///
    /// # Errors
    /// The flow or a prompt isn't usable.
    pub fn build() -> Result<Self, Failure> {
        let flow = Arc::new(Flow::parse(FLOW)?);
        let prompts = crate::workspace().join("crates/bot/flows");
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let script = runtime.block_on(Script::load(flow, &prompts, None))?;
        let engine = Engine::start(EngineConfig {
            workers: 1,
            ..EngineConfig::default()
        })?;
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().build()?,
            transport: Transport::new(engine, TransportConfig::default()),
            script: Arc::new(script),
        })
    }

    /// Runs the simulation that `seed` says.
    ///
    /// # Errors
    /// It can't be set up; what went wrong in it is in the [`Outcome`].
    pub fn run(&self, seed: u64) -> Result<Outcome, Failure> {
        let chance = Chance::new(seed);
        let plan = Plan::new(seed, &chance);
        self.live(seed, chance, plan)
    }

    /// Runs a simulation in which nothing is left to chance but the network's milliseconds.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn play(&self, plan: Plan) -> Result<Outcome, Failure> {
        self.live(0, Chance::new(0), plan)
    }

    fn live(&self, seed: u64, chance: Chance, plan: Plan) -> Result<Outcome, Failure> {
        // No IO driver: whatever opened a socket would panic.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(world::run(self, seed, chance, plan))
    }
}
