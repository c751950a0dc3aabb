//! What runs per packet allocates nothing, takes no lock and does not call the system.
//!
//! A lock that nobody else holds calls nothing, so there are two proofs: calls of 12,000 packets
//! in a process that dies at the first system call, which a lock that has to wait makes; and the
//! sources, in which locks stand only where no packet passes.

#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(unsafe_code, clippy::unwrap_used)]

mod counting;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use counting::allocations;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use switchboard_media::codec::Codec;
use switchboard_media::engine::{Engine, EngineConfig, LIVE_FRAME, Leg, LegConfig, Stepper};
use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::receive::TelephoneEventFormat;

/// What the process that this test starts is to do.
const WHAT: &str = "SWITCHBOARD_REAL_TIME";
const CONFINED: &str = "what_runs_confined";
const CODECS: [Codec; 3] = [Codec::Opus, Codec::G722, Codec::Pcmu];
/// Frames of 20 ms, each way, of each codec: 12,000 packets.
const FRAMES: u32 = 2_000;
/// Exit codes.
const ALLOCATED: i32 = 3;
const HEARD_TOO_LITTLE: i32 = 4;

/// Two ends that talk; every tenth packet is lost on the way to the second.
struct Pair {
    from: Leg,
    to: Leg,
    carried: u32,
    events: u32,
}

impl Pair {
    fn open(engine: &Engine, codec: Codec) -> Self {
        let events = TelephoneEventFormat {
            payload_type: 101,
            clock_rate: 8_000,
        };
        let leg = |ssrc| {
            let config = LegConfig {
                codec,
                live: true,
                guard_echo: true,
                telephone_events: [Some(events), None],
                ..LegConfig::new(111, ssrc)
            };
            engine.open(config).unwrap()
        };
        let (mut from, to) = (leg(1), leg(2));
        from.live.as_mut().unwrap().ears.listen();
        Self {
            from,
            to,
            carried: 0,
            events: 0,
        }
    }

    /// What both ends, their applications and the network between them do in 5 ms.
    fn step(&mut self, now: Instant) {
        let Self {
            from,
            to,
            carried,
            events,
        } = self;
        from.network.transmit(|header, payload| {
            if header.sequence % 10 != 3 {
                let _ = to.network.receive(now, header, payload);
            }
            *carried += 1;
        });
        to.network.transmit(|header, payload| {
            let _ = from.network.receive(now, header, payload);
            *carried += 1;
        });
        let _ = to.live.as_mut().unwrap().voice.say(&[0.1; LIVE_FRAME]);
        let ears = &mut from.live.as_mut().unwrap().ears;
        while ears.receive(|_, _| ()).is_some() {}
        while from.app.event().is_some() || to.app.event().is_some() {
            *events += 1;
        }
    }
}

/// Calls in media time, on this thread alone.
struct Calls {
    _engine: Engine,
    stepper: Stepper,
    pairs: Vec<Pair>,
    prompt: Arc<Prompt>,
    now: Instant,
}

impl Calls {
    fn new() -> Self {
        let (engine, stepper) = Engine::stepped(EngineConfig::default()).unwrap();
        let hum = |n: u32| 0.2 * (n as f32 * 0.11).sin() * (n as f32 * 0.0007).sin();
        let hum: Vec<f32> = (0..16_000 * 5).map(hum).collect();
        let prompt = Prompt::from_samples(16_000, &hum).unwrap();
        let pairs = CODECS.map(|codec| Pair::open(&engine, codec));
        Self {
            _engine: engine,
            stepper,
            pairs: pairs.into(),
            prompt,
            now: Instant::now(),
        }
    }

    fn run(&mut self, frames: u32) {
        for frame in 0..frames {
            for pair in &mut self.pairs {
                match frame % 500 {
                    0 => _ = pair.from.app.play(Arc::clone(&self.prompt)),
                    300 => _ = pair.from.app.press(Digit::ALL[5], 100),
                    400 => pair.from.app.stop(),
                    _ => {}
                }
            }
            for _ in 0..4 {
                self.now += Duration::from_millis(5);
                self.stepper.tick(self.now);
                for pair in &mut self.pairs {
                    pair.step(self.now);
                }
            }
        }
    }

    fn was_heard(&self) -> bool {
        let heard = |pair: &Pair| {
            pair.carried >= 2 * FRAMES && pair.events > 500 && pair.to.app.stats().lost > 100
        };
        self.pairs.iter().all(heard)
    }
}

/// From here on this thread dies with the process when it calls the system, but to end it
/// or, where there is no faster way, to read the clock.
fn confine() {
    let allowed = [libc::SYS_exit_group, libc::SYS_clock_gettime];
    let allowed: BTreeMap<_, _> = allowed.map(|call| (call, Vec::new())).into();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let (die, allow) = (SeccompAction::KillProcess, SeccompAction::Allow);
    let filter = SeccompFilter::new(allowed, die, allow, arch).unwrap();
    let program: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}

/// What another test has a process of its own for.
#[test]
fn what_runs_confined() {
    let Ok(what) = std::env::var(WHAT) else {
        return;
    };
    let mut calls = Calls::new();
    // The first second sets up what is set up lazily.
    calls.run(50);
    confine();
    let allocations = allocations(|| match &*what {
        "call" => calls.run(FRAMES),
        "wait" => thread::park_timeout(Duration::from_nanos(1)),
        _ => drop(std::hint::black_box(vec![0u8; what.len()])),
    });
    let code = match (allocations, calls.was_heard()) {
        (1.., _) => ALLOCATED,
        (0, false) => HEARD_TOO_LITTLE,
        (0, true) => 0,
    };
    // SAFETY: it ends the process and touches no memory of it.
    unsafe { libc::_exit(code) }
}

fn confined(what: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CONFINED]).env(WHAT, what);
    command.stdout(Stdio::null()).status().unwrap()
}

#[test]
fn calls_neither_allocate_nor_call_the_system() {
    let status = confined("call");
    let code = (status.signal(), status.code());
    assert_eq!(
        code,
        (None, Some(0)),
        "31 is a system call, {ALLOCATED} an allocation"
    );
}

#[test]
fn the_proof_fails_where_something_waits_or_allocates() {
    assert_eq!(confined("wait").signal(), Some(libc::SIGSYS));
    assert_eq!(confined("allocation").code(), Some(ALLOCATED));
}

/// What makes others wait, or waits for them.
const LOCKS: [&str; 13] = [
    "Mutex",
    "RwLock",
    "Condvar",
    "Barrier",
    "LazyLock",
    "OnceLock",
    "Once::",
    "ReentrantLock",
    "parking_lot",
    "mpsc",
    "crossbeam",
    "park()",
    "block_on",
];

/// Where there are locks, and why no packet waits for one.
const ALLOWED: [(&str, &str, &str); 6] = [
    (
        "media/src/engine/worker.rs",
        "Mutex",
        "those who open legs wait for each other",
    ),
    (
        "media/src/engine/worker.rs",
        "park()",
        "a worker without a leg, and the reaper",
    ),
    (
        "media/src/silero/network.rs",
        "LazyLock",
        "read when a leg is opened",
    ),
    (
        "media/src/prompt.rs",
        "OnceLock",
        "encoded by who plays it, before it is played",
    ),
    ("transport/src/mux.rs", "mpsc", "to open and close calls"),
    (
        "transport/src/mux/driver.rs",
        "mpsc",
        "asked, not waited for, when one was sent",
    ),
];

fn locks(code: &str) -> impl Iterator<Item = &'static str> {
    let lines = code.lines().map(str::trim);
    let code: String = lines.filter(|line| !line.starts_with("//")).collect();
    LOCKS.into_iter().filter(move |lock| code.contains(lock))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match path.is_dir() {
            _ if name.contains("test") => {}
            true => sources(&path, found),
            false if name.ends_with(".rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn locks_are_only_where_no_packet_passes() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![crates.join("transport/src/mux.rs")];
    for folder in ["media/src", "opus/src", "transport/src/mux"] {
        sources(&crates.join(folder), &mut files);
    }
    assert!(files.len() > 60, "{}", files.len());
    let mut unused = ALLOWED.to_vec();
    for file in files {
        for lock in locks(&std::fs::read_to_string(&file).unwrap()) {
            let is_it =
                |(place, what, _): &(&str, &str, &str)| *what == lock && file.ends_with(place);
            assert!(ALLOWED.iter().any(is_it), "{lock} in {}", file.display());
            unused.retain(|allowed| !is_it(allowed));
        }
    }
    assert!(unused.is_empty(), "{unused:?} are allowed in vain");
}

#[test]
fn a_lock_in_the_sources_is_found() {
    let code = "fn f() {\n    let a = Mutex::new(1);\n    // RwLock\n}\n";
    assert_eq!(locks(code).collect::<Vec<_>>(), ["Mutex"]);
}
