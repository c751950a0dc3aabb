//! The threads: workers that tick, and a reaper that frees what they let go.

#![allow(
    clippy::disallowed_methods,
    reason = "the engine has threads and their clock"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};

use super::leg::Shared;
use super::pipeline::Pipeline;
use super::punctuality::Counters;
use super::stepper::Stepper;
use super::{EngineConfig, EngineError};
use crate::silero::{Silero, TOGETHER};

/// A worker this far behind its schedule starts a new one instead of ticking
/// in a row.
const MAX_BEHIND: Duration = Duration::from_millis(100);
/// Phases of the legs' 20 ms frames.
const PHASES: u32 = 8;

/// All threads of an engine.
pub(super) struct Workers {
    workers: Vec<Handle>,
    reaper: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    legs_per_worker: usize,
    counters: Arc<Counters>,
}

/// What other threads know of a worker.
struct Handle {
    /// Locked only by threads that open legs, never by the worker.
    inbox: Mutex<Producer<Box<Pipeline>>>,
    legs: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    pub(super) fn start(config: &EngineConfig) -> Result<Self, EngineError> {
        let count = match config.workers {
            0 => thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let counters = Arc::new(Counters::default());
        let (outlets, trash): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| RingBuffer::new(config.legs_per_worker))
            .unzip();
        let reaper = spawn("media-reaper".into(), {
            let stop = Arc::clone(&stop);
            move || reap(trash, &stop)
        })?;
        let mut workers = Self {
            workers: Vec::with_capacity(count),
            stop,
            legs_per_worker: config.legs_per_worker,
            reaper: None,
            counters,
        };
        for (index, outlet) in outlets.into_iter().enumerate() {
            let reaper = Some(reaper.thread().clone());
            let outlet = Outlet { outlet, reaper };
            let shared = (&workers.stop, &workers.counters);
            let handle = Handle::start(index, config, shared, outlet)?;
            workers.workers.push(handle);
        }
        workers.reaper = Some(reaper);
        Ok(workers)
    }

    /// One worker that takes its time from its holder.
    pub(super) fn stepped(config: &EngineConfig) -> (Self, Stepper) {
        let counters = Arc::new(Counters::default());
        let (outlet, trash) = RingBuffer::new(config.legs_per_worker);
        let outlet = Outlet {
            outlet,
            reaper: None,
        };
        let (handle, worker) = Handle::of(config, &counters, outlet);
        let workers = Self {
            workers: vec![handle],
            reaper: None,
            stop: Arc::new(AtomicBool::new(false)),
            legs_per_worker: config.legs_per_worker,
            counters,
        };
        (workers, Stepper::new(worker, trash))
    }

    /// How late the workers were.
    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Hands a leg to the worker with the fewest; gives it back when all are full.
    pub(super) fn assign(&self, pipeline: Box<Pipeline>) -> Result<(), Box<Pipeline>> {
        let least = self
            .workers
            .iter()
            .min_by_key(|worker| worker.legs.load(Ordering::Acquire));
        match least {
            Some(worker) => worker.assign(pipeline, self.legs_per_worker),
            None => Err(pipeline),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                thread.thread().unpark();
                // A panic was reported by the thread itself.
                let _ = thread.join();
            }
        }
        if let Some(reaper) = self.reaper.take() {
            reaper.thread().unpark();
            let _ = reaper.join();
        }
    }
}

impl Handle {
    fn start(
        index: usize,
        config: &EngineConfig,
        (stop, counters): (&Arc<AtomicBool>, &Arc<Counters>),
        outlet: Outlet,
    ) -> Result<Self, EngineError> {
        let (mut handle, worker) = Self::of(config, counters, outlet);
        let stop = Arc::clone(stop);
        let thread = spawn(format!("media-{index}"), move || worker.run(&stop))?;
        handle.thread = Some(thread);
        Ok(handle)
    }

    /// A worker that has yet to be run.
    fn of(config: &EngineConfig, counters: &Arc<Counters>, outlet: Outlet) -> (Self, Worker) {
        let (inbox, worker_inbox) = RingBuffer::new(config.legs_per_worker);
        let legs = Arc::new(AtomicUsize::new(0));
        let worker = Worker {
            inbox: worker_inbox,
            seats: Vec::with_capacity(config.legs_per_worker),
            counters: Arc::clone(counters),
            count: Arc::clone(&legs),
            outlet,
            tick: config.tick,
            begun: 0,
        };
        let handle = Self {
            inbox: Mutex::new(inbox),
            legs,
            thread: None,
        };
        (handle, worker)
    }

    fn assign(&self, pipeline: Box<Pipeline>, limit: usize) -> Result<(), Box<Pipeline>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if self.legs.load(Ordering::Acquire) >= limit {
            return Err(pipeline);
        }
        match inbox.push(pipeline) {
            Ok(()) => {}
            Err(rtrb::PushError::Full(pipeline)) => return Err(pipeline),
        }
        self.legs.fetch_add(1, Ordering::AcqRel);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        Ok(())
    }
}

/// Where a worker leaves closed legs.
struct Outlet {
    outlet: Producer<Box<Pipeline>>,
    /// Frees what is left there, unless the worker's holder does.
    reaper: Option<Thread>,
}

/// A leg, and what tells without touching its memory whether it is to tick.
struct Seat {
    due: Instant,
    shared: Arc<Shared>,
    /// Whether the leg's tick is still to be ended.
    ticked: bool,
    leg: Box<Pipeline>,
}

pub(super) struct Worker {
    inbox: Consumer<Box<Pipeline>>,
    /// Never grows beyond the capacity it was made with.
    seats: Vec<Seat>,
    counters: Arc<Counters>,
    count: Arc<AtomicUsize>,
    outlet: Outlet,
    tick: Duration,
    begun: u32,
}

impl Worker {
    fn run(mut self, stop: &AtomicBool) {
        let mut next = Instant::now();
        while !stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.adopt(now);
            if self.seats.is_empty() {
                // A leg assigned since `adopt` has left a token: no wait then.
                thread::park();
                next = Instant::now();
                continue;
            }
            self.counters.ticked(now.saturating_duration_since(next));
            self.serve(now);
            next += self.tick;
            let now = Instant::now();
            if now > next + MAX_BEHIND {
                next = now;
            }
            thread::sleep(next.saturating_duration_since(now));
        }
    }

    /// Takes the legs that were opened.
    pub(super) fn adopt(&mut self, now: Instant) {
        while let Ok(mut leg) = self.inbox.pop() {
            leg.begin(now + Duration::from_millis(20) / PHASES * (self.begun % PHASES));
            self.begun = self.begun.wrapping_add(1);
            self.seats.push(Seat {
                due: now,
                shared: Arc::clone(leg.shared()),
                ticked: false,
                leg,
            });
        }
    }

    /// Lets all legs tick that were called or are due.
    pub(super) fn serve(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(seat) = self.seats.get_mut(index) {
            if !seat.shared.take_call() && seat.due > now {
                index += 1;
                continue;
            }
            let leg = &mut seat.leg;
            // A fault in one call must not end the others on this thread.
            let failed = catch_unwind(AssertUnwindSafe(|| leg.tick(now))).is_err();
            if failed || leg.is_closed() {
                self.release(index);
                continue;
            }
            seat.due = leg.due(now);
            seat.ticked = true;
            index += 1;
        }
        self.hear_together();
    }

    /// Listens for speech in all frames that became complete, several calls at once, and
    /// ends the legs' ticks.
    fn hear_together(&mut self) {
        let mut index = 0;
        while index < self.seats.len() {
            let begin = index;
            let mut seats = self.seats[begin..].iter_mut();
            let mut networks: [Option<&mut Silero>; TOGETHER] = std::array::from_fn(|_| {
                seats.find_map(|seat| {
                    index += 1;
                    seat.ticked.then(|| seat.leg.network()).flatten()
                })
            });
            Silero::hear(&mut networks);
            let mut ticked = self.seats[begin..index].iter_mut();
            while let Some(seat) = ticked.find(|seat| seat.ticked) {
                seat.ticked = false;
                seat.leg.conclude();
                if let Some(arrival) = seat.leg.taken() {
                    self.counters.heard(arrival.elapsed());
                }
            }
        }
    }

    /// Leaves a leg to the reaper.
    fn release(&mut self, index: usize) {
        let Seat { leg, .. } = self.seats.swap_remove(index);
        self.count.fetch_sub(1, Ordering::AcqRel);
        // Should the reaper be that far behind, the leg is freed here.
        let _ = self.outlet.outlet.push(leg);
        if let Some(reaper) = &self.outlet.reaper {
            reaper.unpark();
        }
    }
}

fn reap(mut trash: Vec<Consumer<Box<Pipeline>>>, stop: &AtomicBool) {
    loop {
        for legs in &mut trash {
            while let Ok(leg) = legs.pop() {
                drop(leg);
            }
        }
        if stop.load(Ordering::Acquire) {
            return;
        }
        thread::park();
    }
}

fn spawn(
    name: String,
    run: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, std::io::Error> {
    thread::Builder::new().name(name).spawn(run)
}
