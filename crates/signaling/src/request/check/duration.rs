//! Durations as Graph writes them (`Edm.Duration`, ISO 8601 without years and months).

use std::time::Duration;

/// Reads `PnDTnHnMn.nS`; `None` for anything else, negative durations included.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('P')?;
    let (days, clock) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, clock)) => (days, clock),
        None => (text, ""),
    };
    if days.is_empty() && clock.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    let rest = take(days, 'D', 86_400.0, &mut seconds)?;
    let clock_rest = take(clock, 'H', 3_600.0, &mut seconds)?;
    let clock_rest = take(clock_rest, 'M', 60.0, &mut seconds)?;
    let clock_rest = take(clock_rest, 'S', 1.0, &mut seconds)?;
    let all_read = rest.is_empty() && clock_rest.is_empty();
    all_read.then(|| Duration::try_from_secs_f64(seconds).ok())?
}

/// Takes `{number}{unit}` off the front, if it is there; only seconds have a fraction.
fn take<'a>(text: &'a str, unit: char, scale: f64, seconds: &mut f64) -> Option<&'a str> {
    let Some((number, rest)) = text.split_once(unit) else {
        return Some(text);
    };
    let fraction = unit == 'S';
    let plain = |c: char| c.is_ascii_digit() || (fraction && c == '.');
    if !number.starts_with(|c: char| c.is_ascii_digit()) || !number.chars().all(plain) {
        return None;
    }
    *seconds += number.parse::<f64>().ok()? * scale;
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("PT5M", 300.0),
            ("PT4H", 14_400.0),
            ("P1DT1H1M1.5S", 90_061.5),
            ("PT0.03S", 0.03),
            ("P7D", 604_800.0),
            ("PT0S", 0.0),
        ] {
            assert_eq!(
                parse(text),
                Some(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "", "P", "PT", "P1DT", "5M", "-PT5M", "PT-5M", "PT5", "PT5X", "PT5M3H", "P1H",
            "PT1.5H", "PTM", "PT.S", "PT1..5S", "PT1e9S", "PT5M ", "P1Y", "pt5m",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&format!("PT{}H", "9".repeat(400))), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "-?P?[0-9DTHMS.]{0,24}") {
            let _ = parse(&text);
        }

        #[test]
        fn whole_durations_are_exact(days in 0_u64..9999, hours in 0_u64..24, minutes in 0_u64..60, seconds in 0_u64..60) {
            let text = format!("P{days}DT{hours}H{minutes}M{seconds}S");
            let expected = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
            prop_assert_eq!(parse(&text), Some(Duration::from_secs(expected)));
        }
    }
}
