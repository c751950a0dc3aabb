//! Calls that come and go: does anything stay behind?
//!
//! Each line of callers makes one call after the other, for as long as asked. A call lasts
//! one round of keys and speech; every key of it must be heard. Afterwards descriptors, tasks
//! and legs must be what they were before, and memory must not have grown with the calls.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use switchboard_media::engine::Punctuality;
use switchboard_media::prompt::Prompt;
use switchboard_transport::SessionEvent;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::caller::{self, DIGITS_A_ROUND};
use super::measure::{Listener, Packets, print_punctuality};
use super::{Bot, CALLS_PER_PROCESS, CallerProcess, answered};
use crate::Failure;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Allocators and pools fill up first.
const WARM_UP: f64 = 0.25;
/// Seconds after which growth is a leak's, and the most there may be in an hour.
const LONG: u64 = 1_200;
/// How late a media tick may be, at the 99th percentile.
const LATEST: Duration = Duration::from_millis(5);
const MOST_GROWTH: f64 = 0.01;
/// Closed legs are freed by another thread.
const LET_GO: Duration = Duration::from_secs(10);

/// What came of all calls.
#[derive(Default)]
struct Tally {
    calls: u64,
    /// Calls that didn't come about.
    failed: u64,
    /// Calls of which not every key was heard once.
    inexact: u64,
    /// Keys heard.
    digits: u64,
    packets: Packets,
}

/// Lets `lines` callers call again and again for `seconds`.
pub(super) async fn run(lines: usize, seconds: u64, workers: usize) -> Result<(), Failure> {
    let bot = Arc::new(Bot::start(workers, false).await?);
    let prompt = caller::prompt()?;
    // The first call opens what all share.
    let tally = Arc::new(Mutex::new(Tally::default()));
    let first = Arc::new(Mutex::new(CallerProcess::start()?));
    one_call(&bot, &first, &prompt, &tally).await?;
    drop(first);
    settle(&bot, usize::MAX).await;
    let (baseline, before) = ((descriptors()?, alive()), bot.engine.punctuality());
    let until = Instant::now() + Duration::from_secs(seconds);
    let memory = tokio::spawn(watch_memory(until));
    let mut tasks = Vec::new();
    for begin in (0..lines).step_by(CALLS_PER_PROCESS) {
        let process = Arc::new(Mutex::new(CallerProcess::start()?));
        for _ in begin..lines.min(begin + CALLS_PER_PROCESS) {
            let (bot, process) = (Arc::clone(&bot), Arc::clone(&process));
            let (prompt, tally) = (Arc::clone(&prompt), Arc::clone(&tally));
            tasks.push(tokio::spawn(async move {
                while Instant::now() < until {
                    if one_call(&bot, &process, &prompt, &tally).await.is_err() {
                        tally.lock().await.failed += 1;
                    }
                }
            }));
        }
    }
    for task in tasks {
        task.await?;
    }
    let punctuality = bot.engine.punctuality().since(&before);
    let growth = memory.await?;
    settle(&bot, baseline.1).await;
    let left = Left {
        legs: bot.engine.legs(),
        descriptors: descriptors()?.saturating_sub(baseline.0),
        tasks: alive().saturating_sub(baseline.1),
    };
    let tally = tally.lock().await;
    print(lines, seconds, &tally, &punctuality, growth, &left)?;
    if tally.failed + tally.inexact > 0 || left != Left::default() {
        return Err("calls failed, keys were missed, or something stayed behind".into());
    }
    // A short run's slope is the allocator's, and its ticks are of whatever else runs.
    match growth {
        _ if seconds < LONG => Ok(()),
        Some(growth) if growth > MOST_GROWTH => Err("memory grew by more than 1 % an hour".into()),
        None => Err("how memory grows could not be seen".into()),
        _ if punctuality.ticks.quantile(0.99) >= LATEST => {
            Err("media ticks were late: 5 ms or more at the 99th percentile".into())
        }
        Some(_) => Ok(()),
    }
}

/// What stayed behind.
#[derive(Default, PartialEq)]
struct Left {
    legs: usize,
    descriptors: usize,
    tasks: usize,
}

async fn one_call(
    bot: &Bot,
    process: &Mutex<CallerProcess>,
    prompt: &Arc<Prompt>,
    tally: &Mutex<Tally>,
) -> Result<(), Failure> {
    let mut reservation = bot.endpoint.reserve();
    process.lock().await.call_once(&reservation)?;
    let mut session = answered(&mut reservation).await?;
    session.play(Arc::clone(prompt))?;
    let mut listener = Listener::default();
    while let Some(event) = session.event().await {
        match event {
            SessionEvent::Media(event) if listener.hear(event) => {
                let _ = session.play(Arc::clone(prompt));
            }
            SessionEvent::Closed(_) => break,
            _ => {}
        }
    }
    let heard = listener.end(session.stats());
    let mut tally = tally.lock().await;
    tally.calls += 1;
    tally.digits += heard.digits();
    tally.inexact += u64::from(heard.digits() != DIGITS_A_ROUND || heard.wrong() > 0);
    tally.packets.add(&heard.packets());
    Ok(())
}

/// Waits until closed calls are let go of, and no more than so many tasks are there.
async fn settle(bot: &Bot, tasks: usize) {
    let until = Instant::now() + LET_GO;
    while (bot.engine.legs() > 0 || alive() > tasks) && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
}

/// Tasks of the runtime that have not ended.
fn alive() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

fn descriptors() -> Result<usize, Failure> {
    // The listing has one of its own, each time.
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

/// Resident memory in bytes, as the kernel accounts it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// Growth of memory in an hour, relative to its mean, by the line of least squares through
/// what was seen after the warm-up; `None` when that was too little.
async fn watch_memory(until: Instant) -> Option<f64> {
    let mut seen = Vec::new();
    let begin = Instant::now();
    while Instant::now() < until {
        sleep(LOOK).await;
        seen.push((begin.elapsed().as_secs_f64(), resident()?));
    }
    growth_an_hour(&seen[(seen.len() as f64 * WARM_UP) as usize..])
}

fn growth_an_hour(seen: &[(f64, f64)]) -> Option<f64> {
    if seen.len() < 3 {
        return None;
    }
    let count = seen.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| seen.iter().map(of).sum::<f64>() / count;
    let (time, bytes) = (mean(|seen| seen.0), mean(|seen| seen.1));
    let spread: f64 = seen.iter().map(|seen| (seen.0 - time).powi(2)).sum();
    let lean = seen.iter().map(|seen| (seen.0 - time) * (seen.1 - bytes));
    Some(lean.sum::<f64>() / spread * 3600.0 / bytes)
}

fn print(
    lines: usize,
    seconds: u64,
    tally: &Tally,
    punctuality: &Punctuality,
    growth: Option<f64>,
    left: &Left,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{lines} callers, {seconds} s, one call after the other"
    )?;
    writeln!(
        out,
        "calls                 {}, {} failed, {} with keys missed, wrong or too many",
        tally.calls, tally.failed, tally.inexact
    )?;
    writeln!(
        out,
        "keys                  {} heard of {} sent",
        tally.digits,
        tally.calls * DIGITS_A_ROUND
    )?;
    writeln!(out, "packets               {}", tally.packets)?;
    let memory = growth.map_or("too short to say".to_owned(), |growth| {
        format!("{:+.2} % an hour", growth * 100.0)
    });
    writeln!(out, "memory                {memory}")?;
    writeln!(
        out,
        "left behind           {} legs, {} descriptors, {} tasks",
        left.legs, left.descriptors, left.tasks
    )?;
    drop(out);
    print_punctuality(punctuality)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_slope_of_the_line() {
        let seen: Vec<_> = (0..10)
            .map(|n| (f64::from(n), 1e6 + 100.0 * f64::from(n)))
            .collect();
        let growth = growth_an_hour(&seen).unwrap_or_default();
        assert!((growth - 360_000.0 / 1_000_450.0).abs() < 1e-9, "{growth}");
        assert_eq!(growth_an_hour(&seen[..2]), None);
    }
}
