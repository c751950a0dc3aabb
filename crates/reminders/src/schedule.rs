//! Local times, and the hours in which nobody is called.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// How a local time was found on the time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It exists once.
    Exact,
    /// It was skipped when clocks were put forward: as much later as was skipped.
    Gap,
    /// It comes twice when clocks are put back: the first one.
    Fold,
}

/// The instant of a local time, as RFC 5545 §3.3.5 has it.
///
/// # Errors
/// The time is outside of the years jiff knows.
pub fn instant(local: DateTime, zone: &TimeZone) -> Result<(Timestamp, Fit), jiff::Error> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let fit = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => Fit::Exact,
        AmbiguousOffset::Gap { .. } => Fit::Gap,
        AmbiguousOffset::Fold { .. } => Fit::Fold,
    };
    Ok((ambiguous.compatible()?, fit))
}

/// Local hours in which nobody is called, such as 21:00 to 08:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    from: Time,
    to: Time,
}

impl QuietHours {
    /// From `from` up to, but without, `to`; over midnight if `to` is the earlier one.
    /// `None` if they are the same: that would be always, or never.
    pub fn new(from: Time, to: Time) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }

    /// When they begin and when they end.
    pub fn bounds(self) -> (Time, Time) {
        (self.from, self.to)
    }

    /// Whether a local time is quiet.
    pub fn contain(self, time: Time) -> bool {
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }

    /// `at`, or the end of the quiet hours it falls into.
    pub fn next_allowed(self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        let mut allowed = at;
        // Clocks put back at the very end make the hours quiet once more.
        for _ in 0..4 {
            let local = allowed.to_zoned(zone.clone());
            if !self.contain(local.time()) {
                break;
            }
            allowed = self.end_after(&local);
        }
        allowed
    }

    /// The end of the quiet hours that `local` is in.
    fn end_after(self, local: &Zoned) -> Timestamp {
        let tomorrow = || local.date().checked_add(1.day()).ok();
        let date = if local.time() < self.to {
            Some(local.date())
        } else {
            tomorrow()
        };
        let now = local.timestamp();
        let Some(date) = date else { return now };
        let end = local
            .time_zone()
            .to_ambiguous_timestamp(date.to_datetime(self.to));
        match end.earlier() {
            Ok(first) if first > now => end.compatible().unwrap_or(now),
            _ => end.later().unwrap_or(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};
    use proptest::prelude::*;

    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn a_skipped_time_comes_as_much_later() {
        let berlin = zone("Europe/Berlin");
        let (at, fit) = instant(date(2026, 3, 29).at(2, 30, 0, 0), &berlin).unwrap();
        assert_eq!(
            (at.to_string().as_str(), fit),
            ("2026-03-29T01:30:00Z", Fit::Gap)
        );
        assert_eq!(at.to_zoned(berlin).time(), time(3, 30, 0, 0));
    }

    #[test]
    fn of_a_time_that_comes_twice_the_first_counts() {
        let (at, fit) =
            instant(date(2026, 11, 1).at(1, 30, 0, 0), &zone("America/New_York")).unwrap();
        assert_eq!(
            (at.to_string().as_str(), fit),
            ("2026-11-01T05:30:00Z", Fit::Fold)
        );
    }

    #[test]
    fn a_day_that_does_not_exist_is_a_gap_too() {
        let (at, fit) = instant(date(2011, 12, 30).at(9, 0, 0, 0), &zone("Pacific/Apia")).unwrap();
        assert_eq!(
            (at.to_string().as_str(), fit),
            ("2011-12-30T19:00:00Z", Fit::Gap)
        );
    }

    #[test]
    fn nights_end_in_the_morning() {
        let night = QuietHours::new(time(21, 0, 0, 0), time(8, 0, 0, 0)).unwrap();
        let berlin = zone("Europe/Berlin");
        let allowed = |at: &str| night.next_allowed(at.parse().unwrap(), &berlin).to_string();
        assert_eq!(allowed("2026-03-28T20:30:00Z"), "2026-03-29T06:00:00Z");
        assert_eq!(allowed("2026-03-29T05:59:59Z"), "2026-03-29T06:00:00Z");
        assert_eq!(allowed("2026-03-29T06:00:00Z"), "2026-03-29T06:00:00Z");
        assert_eq!(allowed("2026-03-29T12:00:00Z"), "2026-03-29T12:00:00Z");
    }

    #[test]
    fn hours_that_end_twice_end_for_good() {
        let hours = QuietHours::new(time(22, 0, 0, 0), time(2, 30, 0, 0)).unwrap();
        let berlin = zone("Europe/Berlin");
        let allowed = |at: &str| hours.next_allowed(at.parse().unwrap(), &berlin).to_string();
        // 02:15 for the first time, and for the second.
        assert_eq!(allowed("2026-10-25T00:15:00Z"), "2026-10-25T00:30:00Z");
        assert_eq!(allowed("2026-10-25T01:15:00Z"), "2026-10-25T01:30:00Z");
    }

    proptest! {
        #[test]
        fn the_next_allowed_time_is_the_first_one(
            from in 0i8..24, to in 0i8..24, half in any::<bool>(), offset in 0i64..366 * 24 * 60,
            name in prop::sample::select(vec![
                "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
                "Asia/Kathmandu", "Pacific/Apia", "UTC",
            ]),
        ) {
            let minute = if half { 30 } else { 0 };
            let Some(hours) = QuietHours::new(time(from, 0, 0, 0), time(to, minute, 0, 0)) else {
                return Ok(());
            };
            let zone = zone(name);
            let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            let at = start + offset.minutes();
            let allowed = hours.next_allowed(at, &zone);
            prop_assert!(allowed >= at);
            prop_assert!(!hours.contain(allowed.to_zoned(zone.clone()).time()));
            let mut minute = at;
            while minute < allowed {
                prop_assert!(hours.contain(minute.to_zoned(zone.clone()).time()));
                minute += 10.minutes();
            }
        }
    }
}
