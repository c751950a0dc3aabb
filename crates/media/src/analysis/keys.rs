//! One stream of key presses out of two: a key that arrives as a telephone
//! event and as tones counts once, by the way it came first.

use crate::dtmf::DtmfEvent;
use crate::event::{Digit, DigitSource, MediaEvent};

/// A twin may begin so much earlier or later: events overtake the audio in the
/// jitter buffer, and gateways send them after having heard the tones.
const MAX_APART_MS: u64 = 500;
/// Twins overlap, give or take this.
const SLACK_MS: u64 = 100;
/// Presses remembered to know their twins by.
const REMEMBERED: usize = 8;

#[derive(Clone, Copy)]
struct Press {
    digit: Digit,
    source: DigitSource,
    start_ms: u64,
    /// Unknown while it lasts.
    end_ms: Option<u64>,
    /// Its twin came.
    paired: bool,
}

impl Press {
    fn is_twin(&self, digit: Digit, source: DigitSource, start_ms: u64) -> bool {
        let overlaps = start_ms + SLACK_MS >= self.start_ms
            && self.end_ms.is_none_or(|end| start_ms <= end + SLACK_MS);
        let near = !self.paired && start_ms.abs_diff(self.start_ms) <= MAX_APART_MS;
        self.digit == digit && self.source != source && (overlaps || near)
    }
}

#[derive(Default)]
pub(super) struct Keys {
    /// Newest at `newest`.
    presses: [Option<Press>; REMEMBERED],
    newest: usize,
}

impl Keys {
    /// Takes what one of the two ways brings.
    pub(super) fn take(
        &mut self,
        source: DigitSource,
        event: DtmfEvent,
        sink: &mut impl FnMut(MediaEvent),
    ) {
        match event {
            DtmfEvent::Start { digit, start_ms } => self.start(digit, source, start_ms, sink),
            DtmfEvent::End {
                start_ms,
                duration_ms,
                ..
            } => self.end(source, start_ms, duration_ms, sink),
        }
    }

    fn start(
        &mut self,
        digit: Digit,
        source: DigitSource,
        start_ms: u64,
        sink: &mut impl FnMut(MediaEvent),
    ) {
        // The oldest of several: presses come in the same order both ways.
        let places = (1..=REMEMBERED).map(|n| (self.newest + n) % REMEMBERED);
        let is_twin = |place: &usize| {
            self.presses[*place].is_some_and(|press| press.is_twin(digit, source, start_ms))
        };
        if let Some(place) = places.clone().find(is_twin) {
            if let Some(twin) = &mut self.presses[place] {
                twin.paired = true;
            }
            return;
        }
        // One key at a time: what is still pressed is not any more.
        if let Some(open) = self.open() {
            let duration_ms = start_ms.saturating_sub(open.start_ms);
            self.end(open.source, open.start_ms, duration_ms, sink);
        }
        self.newest = (self.newest + 1) % REMEMBERED;
        self.presses[self.newest] = Some(Press {
            digit,
            source,
            start_ms,
            end_ms: None,
            paired: false,
        });
        sink(MediaEvent::DigitStart {
            digit,
            source,
            start_ms,
        });
    }

    fn open(&self) -> Option<Press> {
        self.presses[self.newest].filter(|press| press.end_ms.is_none())
    }

    /// Ends the key pressed now, unless the end is its twin's.
    fn end(
        &mut self,
        source: DigitSource,
        start_ms: u64,
        duration_ms: u64,
        sink: &mut impl FnMut(MediaEvent),
    ) {
        let Some(press) = &mut self.presses[self.newest] else {
            return;
        };
        if press.end_ms.is_some() || press.source != source || press.start_ms != start_ms {
            return;
        }
        press.end_ms = Some(start_ms + duration_ms);
        sink(MediaEvent::DigitEnd {
            digit: press.digit,
            source,
            start_ms,
            duration_ms,
        });
    }
}

#[cfg(test)]
mod tests;
