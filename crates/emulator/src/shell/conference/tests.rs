//! The rounds of mixing, without a clock.

use switchboard_media::event::{Digit, DigitSource};

use super::*;
use crate::cloud::RecordPlan;

fn samples(value: f32, frames: usize) -> Samples {
    Arc::new(Zeroizing::new(vec![value; frames * LIVE_FRAME]))
}

fn rounds(mix: &mut Mix, count: usize) -> Vec<Played> {
    let mut told = Vec::new();
    for _ in 0..count {
        mix.round(&mut |over| match over {
            Over::Said(played) => told.push(played),
            Over::Recorded(..) => panic!("nothing is recorded"),
        });
    }
    told
}

#[test]
fn what_a_seat_says_ends_once_and_a_stop_interrupts_it() {
    let mut mix = Mix::new();
    for seat in [4, 7] {
        mix.join(seat, None, Vec::new());
    }
    let samples = samples(0.1, 3);
    let play = |seat| Order::Play {
        seat,
        samples: Arc::clone(&samples),
    };
    mix.obey(play(4));
    assert_eq!(rounds(&mut mix, 2), []);
    let over = |seat, interrupted| Played { seat, interrupted };
    assert_eq!(rounds(&mut mix, 3), [over(4, false)]);
    mix.obey(play(7));
    rounds(&mut mix, 1);
    mix.obey(Order::Stop { seat: 7 });
    mix.obey(Order::Stop { seat: 7 });
    assert_eq!(rounds(&mut mix, 4), [over(7, true)]);
}

#[test]
fn what_waits_too_long_gives_way_in_order() {
    let mut waiting = Waiting::new();
    for n in 0..9_u8 {
        waiting.push(&[f32::from(n); LIVE_FRAME]);
    }
    assert_eq!(waiting.count, MAX_WAITING);
    for n in 3..9_u8 {
        assert_eq!(waiting.pieces[waiting.first], [f32::from(n); LIVE_FRAME]);
        waiting.drop_first();
    }
    assert_eq!(waiting.count, 0);
}

#[test]
fn places_are_given_back() {
    let mut mix = Mix::new();
    for seat in 0..3 * MAX_SEATS as u32 {
        mix.join(seat, None, Vec::new());
        assert_eq!(mix.members.len(), 1);
        mix.obey(Order::Leave { seat });
    }
    assert_eq!(mix.free.len(), MAX_SEATS);
}

#[test]
fn hold_music_is_soft_and_goes_round() {
    let music = hold_music();
    assert!(music.iter().all(|sample| sample.abs() <= 0.05));
    assert_eq!(music.len() % LIVE_FRAME, 0);
}

#[test]
fn keys_go_to_recorders_in_the_same_mix() {
    let plan = RecordPlan {
        initial: Duration::from_secs(9),
        pause: Duration::from_secs(9),
        longest: Duration::from_secs(9),
        stop_tones: Zeroizing::new("#".to_owned()),
    };
    for (outside, ends) in [(None, true), (Some(1), false), (Some(2), false)] {
        let mut mix = Mix::new();
        mix.join(1, None, Vec::new());
        mix.join(2, None, Vec::new());
        if let Some(seat) = outside {
            mix.obey(Order::Outside { seat });
        }
        let recorder = Box::new(Recorder::of_a_mix(plan.clone()));
        mix.obey(Order::Record { seat: 1, recorder });
        let event = MediaEvent::DigitStart {
            digit: Digit::from_char('#').unwrap(),
            source: DigitSource::Rtp,
            start_ms: 0,
        };
        mix.obey(Order::Key { seat: 2, event });
        let recorder = mix.members[&1].recorder.as_ref().unwrap();
        assert_eq!(recorder.end().is_some(), ends, "outside: {outside:?}");
    }
}
