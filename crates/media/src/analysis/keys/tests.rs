use proptest::prelude::*;

use super::*;

const RTP: DigitSource = DigitSource::Rtp;
const INBAND: DigitSource = DigitSource::Inband;

/// What comes: by which way, which key, its start, and its duration at its end.
type Coming = (DigitSource, u8, u64, Option<u64>);

fn take(comings: &[Coming]) -> Vec<MediaEvent> {
    let (mut keys, mut heard) = (Keys::default(), Vec::new());
    for (source, code, start_ms, duration) in comings {
        let (digit, start_ms) = (Digit::ALL[usize::from(*code)], *start_ms);
        let event = match *duration {
            None => DtmfEvent::Start { digit, start_ms },
            Some(duration_ms) => DtmfEvent::End {
                digit,
                start_ms,
                duration_ms,
            },
        };
        keys.take(*source, event, &mut |event| heard.push(event));
    }
    heard
}

/// Keys with source, start and duration; each is ended before the next.
fn presses(heard: &[MediaEvent]) -> Vec<(DigitSource, u8, u64, u64)> {
    heard
        .chunks(2)
        .map(|pair| match *pair {
            [
                MediaEvent::DigitStart {
                    digit,
                    source,
                    start_ms,
                },
                MediaEvent::DigitEnd {
                    digit: ended,
                    source: by,
                    start_ms: began_ms,
                    duration_ms,
                },
            ] if (digit, source, start_ms) == (ended, by, began_ms) => {
                (source, digit.event_code(), start_ms, duration_ms)
            }
            ref other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_way_that_is_first_counts() {
    let event_first = [
        (RTP, 5, 940, None),
        (INBAND, 5, 1000, None),
        (RTP, 5, 940, Some(100)),
        (INBAND, 5, 1000, Some(98)),
    ];
    assert_eq!(presses(&take(&event_first)), [(RTP, 5, 940, 100)]);
    let tone_first = [
        (INBAND, 5, 1000, None),
        (RTP, 5, 1040, None),
        (INBAND, 5, 1000, Some(98)),
        (RTP, 5, 1040, Some(100)),
    ];
    assert_eq!(presses(&take(&tone_first)), [(INBAND, 5, 1000, 98)]);
}

#[test]
fn a_tone_after_its_event_is_over_is_no_other_key() {
    let mut comings = vec![
        (RTP, 1, 900, None),
        (RTP, 1, 900, Some(40)),
        (RTP, 1, 980, None),
        (RTP, 1, 980, Some(40)),
    ];
    // 300 ms of jitter buffer later.
    for start in [1200, 1280] {
        comings.push((INBAND, 1, start, None));
        comings.push((INBAND, 1, start, Some(40)));
    }
    let heard = take(&comings);
    assert_eq!(presses(&heard), [(RTP, 1, 900, 40), (RTP, 1, 980, 40)]);
}

#[test]
fn pieces_of_a_tone_under_a_long_event_are_one_key() {
    let comings = [
        (RTP, 9, 1000, None),
        (INBAND, 9, 1050, None),
        (INBAND, 9, 1050, Some(300)),
        (INBAND, 9, 2500, None),
        (INBAND, 9, 2500, Some(300)),
        (RTP, 9, 1000, Some(3000)),
    ];
    assert_eq!(presses(&take(&comings)), [(RTP, 9, 1000, 3000)]);
}

#[test]
fn equal_keys_by_one_way_and_later_ones_count_each() {
    let mut comings = Vec::new();
    for (source, start) in [
        (RTP, 0),
        (RTP, 100),
        (INBAND, 2000),
        (INBAND, 2100),
        (RTP, 5000),
    ] {
        comings.push((source, 4, start, None));
        comings.push((source, 4, start, Some(50)));
    }
    assert_eq!(presses(&take(&comings)).len(), 5);
}

#[test]
fn another_key_ends_the_one_before() {
    let comings = [
        (RTP, 1, 1000, None),
        (INBAND, 2, 1300, None),
        (RTP, 1, 1000, Some(100)),
        (INBAND, 2, 1300, Some(80)),
    ];
    let expected = [(RTP, 1, 1000, 300), (INBAND, 2, 1300, 80)];
    assert_eq!(presses(&take(&comings)), expected);
}

proptest! {
    /// Keys that come both ways, each at its own delay, count once each.
    #[test]
    fn keys_that_come_both_ways_count_once(
        keys in proptest::collection::vec((0u8..16, 40u64..300, 40u64..400), 1..40),
        delay in 0u64..300,
        events_first in any::<bool>(),
    ) {
        let mut comings = Vec::new();
        let mut now = 1000;
        for (code, duration, pause) in &keys {
            let late = if events_first { (0, delay) } else { (delay, 0) };
            for (source, late) in [(RTP, late.0), (INBAND, late.1)] {
                let start = now + late;
                comings.push((start + 30, (source, *code, start, None)));
                comings.push((start + duration, (source, *code, start, Some(*duration))));
            }
            now += duration + pause;
        }
        comings.sort_by_key(|coming| coming.0);
        let comings: Vec<Coming> = comings.into_iter().map(|coming| coming.1).collect();
        let heard: Vec<u8> = presses(&take(&comings)).iter().map(|press| press.1).collect();
        let expected: Vec<u8> = keys.iter().map(|key| key.0).collect();
        prop_assert_eq!(heard, expected);
    }
}
