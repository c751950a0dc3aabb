//! `switchboard analyze`: the bot's ears over recordings and captures.

mod listen;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::Args;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::output::hint;
use listen::{Finding, Hearing, hear};

/// Hear digits and speech in recordings and captures.
///
/// FILE is a WAV (8 to 192 kHz; 8-, 16-, 24- or 32-bit PCM or float; channels
/// are mixed) or a pcap/pcapng capture with RTP (Opus, G.711, telephone events).
/// The same pipeline runs that hears live calls; of a capture, jitter buffer and
/// loss concealment included.
///
/// Prints one JSON object a line, ordered by file and time:
///
///   {"file":"a.wav","type":"dtmf","digit":"5","start_ms":120,"duration_ms":60,"source":"inband"}
///   {"file":"a.wav","type":"speech","start_ms":800,"end_ms":2410}
///   {"file":"a.wav","type":"vad","t_ms":10,"p":0.97}             (with --frames)
///   {"type":"summary","files":1,"audio_s":3.2,"cpu_s":0.004}
///
/// A file that can't be read is told on standard error; the others are heard all
/// the same, and the exit code is 1.
#[derive(Args)]
pub(crate) struct AnalyzeArgs {
    /// JSON lines on standard output: the default, and so far the only format
    #[arg(long)]
    json: bool,

    /// Also print the speech probability of every frame
    #[arg(long)]
    frames: bool,

    /// WAV files or captures
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Why `analyze` fails as a whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalyzeError {
    #[error("{failed} of {files} files could not be analyzed")]
    Files { failed: usize, files: usize },
    #[error("standard output can't be written: {0}")]
    Output(#[from] io::Error),
}

/// One line about a file.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// The last line.
#[derive(Serialize)]
#[serde(tag = "type", rename = "summary")]
struct Summary {
    files: usize,
    audio_s: f64,
    cpu_s: f64,
}

pub(crate) fn run(args: &AnalyzeArgs) -> Result<(), AnalyzeError> {
    let mut summary = Summary {
        files: 0,
        audio_s: 0.0,
        cpu_s: 0.0,
    };
    let mut failed = 0;
    let mut out = BufWriter::new(io::stdout().lock());
    in_order(
        &args.files,
        |file| hear(file, args.frames),
        |file, heard| {
            match heard {
                Ok(hearing) => {
                    summary.files += 1;
                    summary.audio_s += hearing.audio.as_secs_f64();
                    print(&mut out, file, &hearing)?;
                }
                Err(error) => {
                    failed += 1;
                    out.flush()?;
                    hint(&format!("switchboard: {}: {error}", file.display()));
                }
            }
            Ok::<(), io::Error>(())
        },
    )?;
    summary.audio_s = (summary.audio_s * 1e3).round() / 1e3;
    summary.cpu_s = (cpu_time().as_secs_f64() * 1e6).round() / 1e6;
    print_json(&mut out, &summary)?;
    out.flush()?;
    match failed {
        0 => Ok(()),
        failed => Err(AnalyzeError::Files {
            failed,
            files: args.files.len(),
        }),
    }
}

fn print(out: &mut impl Write, file: &Path, hearing: &Hearing) -> io::Result<()> {
    let file = file.to_string_lossy();
    for finding in &hearing.findings {
        print_json(
            out,
            &Line {
                file: &file,
                finding,
            },
        )?;
    }
    Ok(())
}

fn print_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Works on `inputs` on all cores and hands the results on in their order.
fn in_order<I: Sync, R: Send, E>(
    inputs: &[I],
    work: impl Fn(&I) -> R + Sync,
    mut take: impl FnMut(&I, R) -> Result<(), E>,
) -> Result<(), E> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers.min(inputs.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, input)) = nth(inputs, next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more once an output failed.
                    if sender.send((index, work(input))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting: Vec<Option<R>> = inputs.iter().map(|_| None).collect();
        let mut due = 0;
        for (index, result) in results {
            waiting[index] = Some(result);
            while let Some(result) = waiting.get_mut(due).and_then(Option::take) {
                take(&inputs[due], result)?;
                due += 1;
            }
        }
        Ok(())
    })
}

fn nth<I>(inputs: &[I], index: usize) -> Option<(usize, &I)> {
    Some((index, inputs.get(index)?))
}

/// What this process has used so far, all threads together.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        let inputs: Vec<u32> = (0..200).collect();
        let mut seen = Vec::new();
        let done = in_order(
            &inputs,
            |n| {
                // Early ones take longest.
                (0..(200 - n) * 100).fold(*n, |sum, step| sum ^ step ^ step)
            },
            |input, result| {
                seen.push((*input, result));
                Ok::<(), ()>(())
            },
        );
        assert!(done.is_ok());
        assert!(seen.iter().map(|(input, _)| *input).eq(0..200));
        assert!(seen.iter().all(|(input, result)| input == result));
    }

    #[test]
    fn a_failing_output_ends_the_work() {
        let inputs: Vec<u32> = (0..50).collect();
        let ended = in_order(
            &inputs,
            |n| *n,
            |n, _| if *n == 3 { Err(*n) } else { Ok(()) },
        );
        assert_eq!(ended, Err(3));
    }
}
