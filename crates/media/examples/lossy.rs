//! Sends a WAV file of 16 kHz as Opus through a network that loses packets and
//! writes what arrives, by several ways, for `scripts/pesq-table`.
//!
//! Usage: lossy IN.wav OUT-DIR PATTERN SEED, with the pattern `random:10`
//! (percent) or `burst:10` (percent, in bursts of 60–100 ms).

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use switchboard_media::analysis::AnalyzerConfig;
use switchboard_media::codec::{G722Encoder, RATE, opus_has_fec, to_mulaw};
use switchboard_media::receive::{Format, Formats, Receiver, ReceiverConfig};
use switchboard_media::rtp::RtpHeader;
use switchboard_media::{resample, wav};
use switchboard_opus::{Decoder, Encoder};

const FRAME: usize = RATE as usize / 50;
const BITRATE: i32 = 24_000;
/// Packets before the recording's first: nothing is lost where nothing is.
const LEAD: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Numerical Recipes' generator: the same losses everywhere.
struct Random(u32);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * u64::from(end)) >> 32) as u32
    }
}

/// Which packets are lost.
fn losses(pattern: &str, count: usize, random: &mut Random) -> Result<Vec<bool>> {
    let (kind, percent) = pattern.split_once(':').ok_or("pattern is KIND:PERCENT")?;
    let percent: u32 = percent.parse()?;
    let mut lost = vec![false; LEAD];
    while lost.len() < count {
        match kind {
            "random" => lost.push(random.below(100) < percent),
            // Bursts of 3–5 packets, so begun at a quarter of the rate.
            "burst" if random.below(400) < percent * 100 / (100 - percent) => {
                lost.extend(vec![true; 3 + random.below(3) as usize]);
                lost.push(false);
            }
            "burst" => lost.push(false),
            _ => return Err("pattern is random or burst".into()),
        }
    }
    lost.truncate(count - 1);
    lost.push(false);
    Ok(lost)
}

/// What the sender adds for losses.
#[derive(Clone, Copy)]
struct Protection {
    fec: bool,
    /// Deep redundancy in units of 10 ms.
    dred: u8,
}

fn encode(signal: &[f32], percent: u8, protection: Protection) -> Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(RATE)?;
    encoder.set_bitrate(BITRATE)?;
    encoder.set_inband_fec(protection.fec)?;
    encoder.set_packet_loss(percent)?;
    encoder.set_redundancy(protection.dred)?;
    let mut packets = Vec::new();
    for frame in signal.chunks_exact(FRAME) {
        let mut out = [0; 1275];
        let length = encoder.encode(frame, &mut out)?;
        packets.push(out[..length].to_vec());
    }
    Ok(packets)
}

/// libopus alone, its concealment as it was before it became neural; with
/// look-ahead it uses the next packet's in-band FEC.
fn libopus(packets: &[Vec<u8>], lost: &[bool], look_ahead: bool) -> Result<Vec<f32>> {
    let mut decoder = Decoder::new(RATE)?;
    let mut out = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        let mut frame = [0.0; FRAME];
        let next = packets.get(n + 1).filter(|_| look_ahead && !lost[n + 1]);
        match next {
            _ if !lost[n] => decoder.decode(packet, &mut frame)?,
            Some(next) if opus_has_fec(next) => decoder.recover(next, &mut frame)?,
            _ => decoder.conceal(&mut frame)?,
        };
        out.extend_from_slice(&frame);
    }
    Ok(out)
}

/// Our whole path: every packet up to 30 ms late, in whatever order.
fn receiver(
    format: Format,
    packets: &[Vec<u8>],
    lost: &[bool],
    random: &mut Random,
) -> Result<Vec<f32>> {
    let formats = Formats::new().with(111, format)?;
    let ticks = format.clock_rate() / 50;
    let analyzer = AnalyzerConfig::default();
    let mut receiver = Receiver::new(ReceiverConfig { formats, analyzer })?;
    let mut arrivals: Vec<(u32, usize)> = (0..packets.len())
        .map(|n| (20 * n as u32 + random.below(30), n))
        .filter(|(_, n)| !lost[*n])
        .collect();
    arrivals.sort_unstable();
    let (start, mut out) = (Instant::now(), Vec::new());
    let mut arrivals = arrivals.into_iter().peekable();
    let end = 20 * packets.len() as u32 + 600;
    for ms in (0..end).step_by(5) {
        let now = start + Duration::from_millis(u64::from(ms));
        while let Some((_, n)) = arrivals.next_if(|(at, _)| *at <= ms) {
            let header = RtpHeader {
                payload_type: 111,
                marker: false,
                sequence: n as u16,
                timestamp: ticks * n as u32,
                ssrc: 1,
                csrc: None,
            };
            receiver.push(now, &header, &packets[n], &mut |_| {});
        }
        receiver.pull_audio(now, &mut |_| {}, &mut |audio| out.extend_from_slice(audio));
    }
    out.truncate(packets.len() * FRAME);
    Ok(out)
}

fn telephone(signal: &[f32]) -> Result<Vec<Vec<u8>>> {
    let narrow = resample::convert(RATE, 8_000, signal)?;
    let packets = narrow.chunks_exact(FRAME / 2);
    Ok(packets
        .map(|frame| frame.iter().map(|sample| to_mulaw(*sample)).collect())
        .collect())
}

fn wideband(signal: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = G722Encoder::new();
    let frames = signal.chunks_exact(FRAME).map(|frame| {
        let pairs = frame.chunks_exact(2);
        pairs
            .map(|pair| encoder.encode([pair[0], pair[1]]))
            .collect()
    });
    frames.collect()
}

/// Silence where packets were lost, as it was heard before there was concealment.
fn silenced(mut heard: Vec<f32>, lost: &[bool]) -> Vec<f32> {
    for (frame, lost) in heard.chunks_mut(FRAME).zip(lost) {
        if *lost {
            frame.fill(0.0);
        }
    }
    heard
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, directory, pattern, seed] = &arguments[..] else {
        return Err("usage: lossy IN.wav OUT-DIR PATTERN SEED".into());
    };
    let wav = wav::read(&std::fs::read(input)?)?;
    if wav.rate != RATE {
        return Err("the file must have 16 kHz".into());
    }
    let mut signal = vec![0.0; LEAD * FRAME];
    signal.extend_from_slice(&wav.mono());
    let percent: u8 = pattern.rsplit(':').next().unwrap_or_default().parse()?;
    let mut random = Random(seed.parse()?);
    let lost = losses(pattern, signal.len() / FRAME, &mut random)?;
    let none = vec![false; lost.len()];
    let plain = encode(
        &signal,
        0,
        Protection {
            fec: false,
            dred: 0,
        },
    )?;
    let fec = encode(&signal, percent, Protection { fec: true, dred: 0 })?;
    let dred = encode(
        &signal,
        percent,
        Protection {
            fec: false,
            dred: 20,
        },
    )?;
    let dred25 = encode(
        &signal,
        25,
        Protection {
            fec: false,
            dred: 20,
        },
    )?;
    let both = encode(
        &signal,
        percent,
        Protection {
            fec: true,
            dred: 20,
        },
    )?;
    let (pcmu, g722) = (telephone(&signal)?, wideband(&signal));
    let whole_pcmu = receiver(Format::Pcmu, &pcmu, &none, &mut random)?;
    let whole_g722 = receiver(Format::G722, &g722, &none, &mut random)?;
    let outputs = [
        ("no-loss", libopus(&plain, &none, false)?),
        ("plc", libopus(&plain, &lost, false)?),
        ("fec", libopus(&fec, &lost, true)?),
        (
            "ours-plain",
            receiver(Format::Opus, &plain, &lost, &mut random)?,
        ),
        (
            "ours-fec",
            receiver(Format::Opus, &fec, &lost, &mut random)?,
        ),
        (
            "ours-dred",
            receiver(Format::Opus, &dred, &lost, &mut random)?,
        ),
        (
            "ours-dred25",
            receiver(Format::Opus, &dred25, &lost, &mut random)?,
        ),
        (
            "ours-both",
            receiver(Format::Opus, &both, &lost, &mut random)?,
        ),
        ("pcmu-silence", silenced(whole_pcmu.clone(), &lost)),
        (
            "pcmu-ours",
            receiver(Format::Pcmu, &pcmu, &lost, &mut random)?,
        ),
        ("pcmu-no-loss", whole_pcmu),
        ("g722-silence", silenced(whole_g722.clone(), &lost)),
        (
            "g722-ours",
            receiver(Format::G722, &g722, &lost, &mut random)?,
        ),
        ("g722-no-loss", whole_g722),
    ];
    for (name, samples) in outputs {
        let path = Path::new(directory).join(format!("{name}.wav"));
        std::fs::write(path, wav::write(RATE, &samples[LEAD * FRAME..]))?;
    }
    let share = lost.iter().filter(|lost| **lost).count() as f64 / lost.len() as f64;
    println!("{share:.3}");
    Ok(())
}
