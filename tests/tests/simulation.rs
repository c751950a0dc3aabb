//! A thousand lives of bot and emulator on virtual time, each with its own faults.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use switchboard_tests::Failure;
use switchboard_tests::simulation::{Outcome, Stage, Tally};

/// How many, unless `SWITCHBOARD_SEEDS` says `FROM..TO`.
const SEEDS: std::ops::Range<u64> = 0..1000;

fn seeds() -> Result<std::ops::Range<u64>, Failure> {
    let Ok(text) = std::env::var("SWITCHBOARD_SEEDS") else {
        return Ok(SEEDS);
    };
    let (from, to) = text
        .split_once("..")
        .ok_or("SWITCHBOARD_SEEDS is FROM..TO")?;
    Ok(from.parse()?..to.parse()?)
}

fn complaint(seed: u64, outcome: &Outcome) -> String {
    format!(
        "seed {seed}: {}\nagain: SWITCHBOARD_SEEDS={seed}..{} cargo test -p switchboard-tests --test simulation\n{}",
        outcome.wrongs.join("; "),
        seed + 1,
        outcome.log
    )
}

/// Each seed once; what went wrong first, and what happened in all of them.
fn run_all(seeds: std::ops::Range<u64>) -> Result<(Vec<String>, Tally), Failure> {
    let stage = Stage::build()?;
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((Vec::new(), Tally::default()));
    let work = || -> Result<(), Failure> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return Ok(());
            }
            let outcome = stage.run(seed)?;
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.1.add(&outcome.tally);
            if !outcome.wrongs.is_empty() {
                found.0.push(complaint(seed, &outcome));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| "a simulation panicked")??;
        }
        Ok::<(), Failure>(())
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[test]
fn calls_end_as_documented_whatever_goes_wrong() -> Result<(), Failure> {
    let seeds = seeds()?;
    let (wrongs, tally) = run_all(seeds.clone())?;
    for (what, times) in &tally.0 {
        println!("{times:>8} {what}");
    }
    if let Some(first) = wrongs.first() {
        return Err(format!("{} seeds went wrong; the first:\n{first}", wrongs.len()).into());
    }
    if seeds == SEEDS {
        // A simulation in which nothing happens shows nothing.
        let kinds = [
            "duplicate",
            "reorder",
            "lose",
            "delay",
            "empty",
            "wrongKey",
            "expired",
            "status",
            "reset",
        ];
        for what in kinds
            .into_iter()
            .chain(["established", "request refused", "calls orphaned"])
        {
            assert!(tally.of(what) >= 50, "{what}: {} times", tally.of(what));
        }
        assert_eq!(
            tally.of("call"),
            tally.of("ended"),
            "every call that began has ended"
        );
        assert!(
            tally.of("established") * 2 > tally.of("call"),
            "most calls come about"
        );
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_log() -> Result<(), Failure> {
    let stage = Stage::build()?;
    for seed in 1..40 {
        let (first, second) = (stage.run(seed)?, stage.run(seed)?);
        assert!(first.log.lines().count() > 10, "seed {seed}: {}", first.log);
        assert_eq!(first.log, second.log, "seed {seed}");
    }
    assert_ne!(stage.run(1)?.log, stage.run(2)?.log);
    Ok(())
}
