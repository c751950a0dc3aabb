//! Every order in which threads can raise a flag and one takes it, by `loom`: nothing that
//! was written before is missed.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
}

// The module as the media worker has it, on loom's atomics.
#[allow(unreachable_pub, reason = "it is public where it is at home")]
#[path = "../src/flag.rs"]
mod flag;

use flag::Flag;
use sync::Ordering;

/// What two threads leave; `Relaxed`, so that only the flag can make it seen.
#[derive(Default)]
struct Left {
    by: [AtomicUsize; 2],
}

impl Left {
    fn leave(&self, who: usize) {
        self.by[who].store(1, Ordering::Relaxed);
    }

    fn seen(&self) -> usize {
        self.by.iter().map(|by| by.load(Ordering::Relaxed)).sum()
    }
}

/// All orders with at most three switches away from a thread that could go on: what goes
/// wrong, goes wrong with fewer, and more would take minutes.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(run);
}

/// A leg: the network's thread and the application's call the worker.
#[test]
fn a_call_by_two_is_no_less_than_both() {
    model(|| {
        let shared = Arc::new((Flag::default(), Left::default()));
        let callers = [0, 1].map(|who| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.leave(who);
                shared.0.raise();
            })
        });
        let worker = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let look = || shared.0.take().then(|| shared.1.seen());
                let first = look();
                look().or(first).unwrap_or(0)
            })
        };
        for caller in callers {
            caller.join().unwrap();
        }
        let seen = worker.join().unwrap();
        let later = shared.0.take();
        assert!(seen == 2 || later, "{seen} seen, and nobody looks again");
    });
}

/// The network thread: media workers ring their calls' bells and wake it, by a system call
/// only when it was not woken already.
#[test]
fn a_bell_rung_while_the_driver_is_about_to_sleep_wakes_it() {
    #[derive(Default)]
    struct Driver {
        raised: Flag,
        bells: [Flag; 2],
        /// The system's own flag.
        woken: Flag,
        left: Left,
    }
    impl Driver {
        fn ring(&self, call: usize) {
            self.left.leave(call);
            self.bells[call].raise();
            if self.raised.raise() {
                self.woken.raise();
            }
        }
        /// One round, if it is woken.
        fn round(&self) -> usize {
            if !self.woken.lower() {
                return 0;
            }
            self.raised.lower();
            let taken = |call: &usize| {
                self.bells[*call].take() && self.left.by[*call].load(Ordering::Relaxed) == 1
            };
            [0, 1].iter().filter(|call| taken(call)).count()
        }
    }
    model(|| {
        let driver = Arc::new(Driver::default());
        let workers = [0, 1].map(|call| {
            let driver = Arc::clone(&driver);
            thread::spawn(move || driver.ring(call))
        });
        let mut served = driver.round();
        for worker in workers {
            worker.join().unwrap();
        }
        served += driver.round();
        assert_eq!(served, 2);
    });
}
