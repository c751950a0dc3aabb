#![allow(clippy::unwrap_used)]

use super::*;

const RATE: u32 = 16_000;
const FRAME: usize = 320;

/// A voice-like signal: a gliding series of partials in syllables.
fn voice(frames: usize) -> Vec<f32> {
    let mut phase = 0.0f32;
    (0..frames * FRAME)
        .map(|n| {
            let at = n as f32 / RATE as f32;
            phase += (120.0 + 30.0 * (at * 2.0).sin()) / RATE as f32;
            let turn = phase * std::f32::consts::TAU;
            let partials: f32 = (1..20).map(|k| (turn * k as f32).sin() / k as f32).sum();
            0.15 * partials * (0.2 + (at * 12.0).sin().abs())
        })
        .collect()
}

fn packets(signal: &[f32], set: impl FnOnce(&mut Encoder)) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(RATE).unwrap();
    encoder.set_bitrate(32_000).unwrap();
    set(&mut encoder);
    signal
        .chunks_exact(FRAME)
        .map(|frame| {
            let mut out = [0; 1275];
            let length = encoder.encode(frame, &mut out).unwrap();
            out[..length].to_vec()
        })
        .collect()
}

fn power(signal: &[f32]) -> f32 {
    signal.iter().map(|x| x * x).sum::<f32>() / signal.len() as f32
}

#[test]
fn packets_come_back_as_sound() {
    let signal = voice(50);
    let (mut decoder, mut out) = (Decoder::new(RATE).unwrap(), [0.0; FRAME]);
    let mut total = 0.0;
    for packet in packets(&signal, |_| {}) {
        assert_eq!(duration(&packet, RATE), Ok(FRAME));
        assert_eq!(decoder.decode(&packet, &mut out), Ok(FRAME));
        total += power(&out) / 50.0;
    }
    assert!((total / power(&signal) - 1.0).abs() < 0.2);
}

#[test]
fn what_is_malformed_is_told_from_wrong_calls() {
    let (mut decoder, mut out) = (Decoder::new(RATE).unwrap(), [0.0; FRAME]);
    assert!(
        decoder
            .decode(&[0xfb, 0], &mut out)
            .unwrap_err()
            .is_malformed()
    );
    assert!(duration(&[0xfb], RATE).unwrap_err().is_malformed());
    assert!(duration(&[], RATE).is_err());
    let error = decoder.conceal(&mut out[..7]).unwrap_err();
    assert!(!error.is_malformed());
    assert_eq!(error.to_string(), "libopus: invalid argument (-1)");
    assert!(Decoder::new(44_100).is_err() && Encoder::new(0).is_err());
    assert!(decoder.set_complexity(11).is_err());
    assert!(version().starts_with("libopus 1."));
}

#[test]
fn a_reset_decoder_is_a_new_one() {
    let packets = packets(&voice(20), |_| {});
    let (mut decoder, mut outs) = (Decoder::new(RATE).unwrap(), [Vec::new(), Vec::new()]);
    for out in &mut outs {
        for packet in &packets {
            let mut frame = [0.0; FRAME];
            decoder.decode(packet, &mut frame).unwrap();
            out.extend_from_slice(&frame);
        }
        decoder.reset();
    }
    assert!(outs[0] == outs[1]);
}

/// Loses 100 ms and fills them either from the next packet's redundancy or by
/// concealment; gives the power of what was made.
fn gap(packets: &[Vec<u8>], restore: bool) -> (usize, f32) {
    let mut decoder = Decoder::new(RATE).unwrap();
    decoder.set_complexity(5).unwrap();
    let mut redundancy = Redundancy::new().unwrap();
    let mut out = [0.0; 5 * FRAME];
    for packet in &packets[..40] {
        decoder.decode(packet, &mut out).unwrap();
    }
    let next = &packets[45];
    let reach = redundancy.read(next, RATE as usize, RATE).unwrap();
    if restore {
        let ahead = out.len();
        assert_eq!(decoder.restore(&redundancy, ahead, &mut out), Ok(5 * FRAME));
    } else {
        assert_eq!(decoder.conceal(&mut out), Ok(5 * FRAME));
    }
    (reach, power(&out[3 * FRAME..]))
}

#[test]
fn deep_redundancy_holds_what_concealment_cannot_know() {
    // Silence, and speech that begins within the gap.
    let mut signal = voice(60);
    signal[..41 * FRAME].fill(0.0);
    let with = packets(&signal, |encoder| {
        encoder.set_packet_loss(20).unwrap();
        encoder.set_redundancy(50).unwrap();
    });
    let ((reach, restored), (_, concealed)) = (gap(&with, true), gap(&with, false));
    assert!(reach >= 5 * FRAME, "{reach}");
    let original = power(&signal[43 * FRAME..45 * FRAME]);
    assert!(restored > 0.2 * original, "{restored} of {original}");
    assert!(concealed < 0.01 * original, "{concealed} of {original}");
    // A packet without it.
    let without = packets(&signal, |_| {});
    assert_eq!(gap(&without, true).0, 0);
}
