use std::f64::consts::TAU;

use super::*;

const SEATS: usize = 20;

/// Distinct tones, a whole number of periods per 20 ms: each is orthogonal to
/// all others over a frame.
fn hz(seat: usize) -> f64 {
    50.0 * (4 + 5 * seat) as f64
}

fn tone(seat: usize, amplitude: f64) -> Vec<f32> {
    (0..MIX_FRAME)
        .map(|n| (amplitude * (TAU * hz(seat) * n as f64 / f64::from(RATE)).sin()) as f32)
        .collect()
}

/// Amplitude of a seat's tone in a frame.
fn amplitude(frame: &[f32], seat: usize) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in frame.iter().enumerate() {
        let turn = TAU * hz(seat) * n as f64 / f64::from(RATE);
        re += f64::from(*sample) * turn.cos();
        im += f64::from(*sample) * turn.sin();
    }
    2.0 * re.hypot(im) / frame.len() as f64
}

fn hear(mixer: &mut Mixer, seat: usize) -> Vec<f32> {
    let mut out = vec![9.0; MIX_FRAME];
    mixer.heard_by(seat, &mut out);
    out
}

fn peak(frame: &[f32]) -> f32 {
    frame.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

#[test]
fn each_of_twenty_hears_each_other_and_not_itself() {
    let mut mixer = Mixer::new(SEATS);
    for seat in 0..SEATS {
        mixer.put(seat, &tone(seat, 0.02));
    }
    mixer.turn();
    for listener in 0..SEATS {
        let heard = hear(&mut mixer, listener);
        for speaker in 0..SEATS {
            let level = amplitude(&heard, speaker);
            if speaker == listener {
                assert!(level < 1e-7, "{listener} hears itself: {level}");
            } else {
                assert!((level - 0.02).abs() < 1e-5, "{listener} {speaker}: {level}");
            }
        }
    }
}

#[test]
fn twenty_loud_ones_stay_in_proportion_and_under_full_scale() {
    let mut mixer = Mixer::new(SEATS);
    for round in 0..100 {
        for seat in 0..SEATS {
            mixer.put(seat, &tone(seat, 0.5));
        }
        mixer.turn();
        for listener in 0..SEATS {
            let heard = hear(&mut mixer, listener);
            assert!(peak(&heard) < 1.0);
            if round < 2 {
                continue;
            }
            // The gain has settled: nothing is bent, all are as loud.
            let first = amplitude(&heard, (listener + 1) % SEATS);
            for speaker in (0..SEATS).filter(|speaker| *speaker != listener) {
                let level = amplitude(&heard, speaker);
                assert!((level / first - 1.0).abs() < 1e-3, "{listener} {speaker}");
            }
            assert!(amplitude(&heard, listener) < 1e-5 * first);
        }
    }
}

#[test]
fn the_gain_comes_back_slowly() {
    let mut mixer = Mixer::new(3);
    let mut levels = Vec::new();
    for round in 0..60 {
        mixer.put(0, &tone(0, 0.3));
        if round < 10 {
            mixer.put(1, &[1.0; MIX_FRAME]);
        }
        mixer.turn();
        levels.push(amplitude(&hear(&mut mixer, 2), 0));
    }
    assert!(levels[9] < 0.25, "lowered: {}", levels[9]);
    assert!((levels[59] - 0.3).abs() < 1e-4, "regained: {}", levels[59]);
    for pair in levels[10..].windows(2) {
        assert!(pair[1] >= pair[0] - 1e-6 && pair[1] < pair[0] * 1.13);
    }
}

#[test]
fn what_was_not_put_is_silent() {
    let mut mixer = Mixer::new(2);
    mixer.put(0, &[0.1; MIX_FRAME]);
    mixer.turn();
    assert!(peak(&hear(&mut mixer, 1)) > 0.09);
    mixer.turn();
    assert_eq!(peak(&hear(&mut mixer, 1)), 0.0);
    mixer.put(0, &[0.1; MIX_FRAME]);
    mixer.leave(0);
    mixer.turn();
    assert_eq!(peak(&hear(&mut mixer, 1)), 0.0);
}

#[test]
fn odd_input_is_heard_as_far_as_it_goes() {
    let mut mixer = Mixer::new(2);
    mixer.put(0, &[f32::NAN, f32::INFINITY, 5.0, 0.5]);
    mixer.put(7, &[0.5; MIX_FRAME]);
    mixer.turn();
    let heard = hear(&mut mixer, 1);
    assert_eq!(heard[..2], [0.0, 0.0]);
    assert!(heard[2] < 1.0 && heard[4..].iter().all(|x| *x == 0.0));
    assert_eq!(hear(&mut mixer, 7)[2], 1.0, "an observer hears the sum");
    let mut short = [9.0; 3];
    mixer.heard_by(1, &mut short);
    mixer.leave(7);
}

/// Rounds in which the given seats talk (in syllables) over everyone's noise.
fn talk(mixer: &mut Mixer, rounds: usize, talkers: &[(usize, f32)]) {
    let mut state = 1u32;
    for round in 0..rounds {
        for seat in 0..mixer.seats() {
            let syllable = if round % 10 < 7 { 1.0 } else { 0.02 };
            let talker = talkers.iter().find(|(talker, _)| *talker == seat);
            let level = talker.map_or(0.003, |(_, level)| level * syllable);
            let frame: Vec<f32> = (0..MIX_FRAME)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    level * (2.0 * (state as f32 / u32::MAX as f32) - 1.0)
                })
                .collect();
            mixer.put(seat, &frame);
        }
        mixer.turn();
    }
}

#[test]
fn speakers_are_ranked_and_forgotten() {
    let mut mixer = Mixer::new(SEATS);
    talk(&mut mixer, 100, &[]);
    assert!(mixer.dominant().is_empty(), "noise is nobody");
    talk(&mut mixer, 50, &[(3, 0.2)]);
    assert_eq!(mixer.dominant(), [3]);
    // Another one joins, as loud: the first keeps the floor.
    talk(&mut mixer, 50, &[(3, 0.2), (11, 0.2)]);
    assert_eq!(mixer.dominant(), [3, 11]);
    // The first falls silent.
    talk(&mut mixer, 50, &[(11, 0.2)]);
    assert_eq!(mixer.dominant(), [11, 3]);
    talk(&mut mixer, 150, &[(11, 0.2)]);
    assert_eq!(mixer.dominant(), [11]);
    mixer.leave(11);
    assert!(mixer.dominant().is_empty());
}

#[test]
fn a_cough_does_not_take_the_floor() {
    let mut mixer = Mixer::new(SEATS);
    talk(&mut mixer, 100, &[(3, 0.1)]);
    talk(&mut mixer, 5, &[(3, 0.1), (4, 0.8)]);
    talk(&mut mixer, 20, &[(3, 0.1)]);
    assert_eq!(mixer.dominant(), [3]);
}

#[test]
fn the_order_of_two_who_talk_at_once_is_stable() {
    let mut mixer = Mixer::new(SEATS);
    talk(&mut mixer, 100, &[(3, 0.2), (4, 0.25)]);
    let order = mixer.dominant().to_vec();
    assert_eq!(order.len(), 2);
    for _ in 0..50 {
        talk(&mut mixer, 10, &[(3, 0.2), (4, 0.25)]);
        assert_eq!(mixer.dominant(), order);
    }
}

#[test]
fn background_noise_that_stays_is_not_speech() {
    let mut mixer = Mixer::new(2);
    let mut state = 1u32;
    for _ in 0..1500 {
        let frame: Vec<f32> = (0..MIX_FRAME)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                0.1 * (state as f32 / u32::MAX as f32 - 0.5)
            })
            .collect();
        mixer.put(0, &frame);
        mixer.turn();
    }
    assert!(mixer.dominant().is_empty());
}
