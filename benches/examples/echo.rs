//! The echo of our own prompt: our guard, and WebRTC's echo canceller in Rust (`sonora`)
//! before the same detector.
//!
//! `cargo run --release -p switchboard-benches --features peers --example echo`: the seeded
//! calls of `crates/media/tests/echo`, in media time. Prints tables.

#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "it prints tables")]

#[path = "../../crates/media/tests/echo/telephone.rs"]
mod telephone;

use std::cell::Cell;
use std::rc::Rc;

use sonora::config::EchoCanceller;
use sonora::{AudioProcessing, Config, StreamConfig};
use telephone::{Canceller, FRAME, Telephone, interrupted, noticed};

/// Samples of 10 ms.
const HALF: usize = FRAME / 2;

/// What is done about echoes.
#[derive(Clone, Copy, PartialEq)]
enum Means {
    Nothing,
    Guard,
    Sonora,
}

/// CPU time of this thread in ns, by the kernel.
fn cpu() -> u64 {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    times.split_whitespace().next().unwrap().parse().unwrap()
}

/// CPU time in ns, and spans of 10 ms in it.
type Spent = Rc<Cell<(u64, u64)>>;

fn sonora(spent: Spent) -> Canceller {
    let stream = StreamConfig::new(16_000, 1);
    let config = Config {
        echo_canceller: Some(EchoCanceller::default()),
        ..Config::default()
    };
    let mut canceller = AudioProcessing::builder()
        .config(config)
        .capture_config(stream)
        .render_config(stream)
        .build();
    Box::new(move |said, heard| {
        let begin = cpu();
        let mut played = [0.0; HALF];
        for (said, heard) in said.chunks_exact(HALF).zip(heard.chunks_exact_mut(HALF)) {
            let mut left = [0.0; HALF];
            let render = canceller.process_render_f32(&[said], &mut [&mut played]);
            render.unwrap();
            canceller.set_stream_delay_ms(0).unwrap();
            let capture = canceller.process_capture_f32(&[heard], &mut [&mut left]);
            capture.unwrap();
            heard.copy_from_slice(&left);
        }
        let (time, spans) = spent.get();
        spent.set((time + cpu() - begin, spans + 2));
    })
}

fn with(means: Means, spent: &Spent, telephone: Telephone) -> Telephone {
    Telephone {
        guarded: means == Means::Guard,
        cancel: (means == Means::Sonora).then(|| sonora(Rc::clone(spent))),
        ..telephone
    }
}

fn clean(_: usize, _: f32) -> Telephone {
    Telephone {
        room: Vec::new(),
        ..Telephone::new(0, 0.0)
    }
}

fn main() {
    let spent = Spent::default();
    let all = [Means::Nothing, Means::Guard, Means::Sonora];
    type Make = fn(usize, f32) -> Telephone;
    let echoes: [(&str, Make); 5] = [
        ("an echo that stays as it is", Telephone::new),
        ("12 dB quieter after 3 s", |delay, loss| {
            Telephone::changing(delay, loss, 12.0)
        }),
        ("up to 9 dB louder after 3 s", |delay, loss| {
            Telephone::changing(delay, loss, -9.0)
        }),
        ("a room", Telephone::in_a_room),
        ("Opus, 5 % lost each way", Telephone::lossy),
    ];
    println!("of 120 prompts interrupted themselves: nothing, guard, sonora");
    for (what, make) in echoes {
        let count =
            all.map(|means| interrupted(6, |delay, loss| with(means, &spent, make(delay, loss))));
        println!("| {what} | {} | {} | {} |", count[0], count[1], count[2]);
    }
    println!("noticed, ms (p50 / p90 / longest, missed of 90): nothing, guard, sonora");
    let over: [(&str, Make); 4] = [
        ("no echo", clean),
        ("an echo", Telephone::new),
        ("a room", Telephone::in_a_room),
        ("Opus, 5 % lost each way", Telephone::lossy),
    ];
    for (what, make) in over {
        let cells = all.map(|means| {
            let mut late = noticed(6, |delay, loss| with(means, &spent, make(delay, loss)));
            let all = late.len();
            late.retain(|late| *late < 60_000);
            let at = |share: usize| late[(late.len() - 1) * share / 100];
            let missed = all - late.len();
            format!("{} / {} / {}, {missed}", at(50), at(90), at(100))
        });
        println!("| {what} | {} | {} | {} |", cells[0], cells[1], cells[2]);
    }
    let (time, spans) = spent.get();
    println!(
        "sonora: {:.1} µs CPU per 10 ms",
        time as f64 / spans as f64 / 1e3
    );
}
