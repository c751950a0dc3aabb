//! Hears key presses in telephone events (RFC 4733).
//!
//! A sender repeats its report of an event while that lasts and its end three
//! times (§2.5.1.4), so a key counts as soon as any report of it comes. An
//! event is known by its source, timestamp and code: what was reported and
//! ended once stays ended, however late its other reports come.

use crate::dtmf::DtmfEvent;
use crate::event::Digit;
use crate::rtp::RtpHeader;

/// Bytes of one report (§2.3).
const REPORT: usize = 4;
/// Reports in one packet that are believed. More keys are not pressed within a
/// packet's time.
const MAX_REPORTS: usize = 16;
/// Longest duration a report can tell; longer events go on in segments whose
/// timestamps are so far apart (§2.5.1.3).
const SEGMENT: u32 = 0xffff;
/// Segments that may be lost in between.
const MAX_SKIPPED: u32 = 4;
/// An event of which nothing came for so long is over. Reports come every
/// 20–50 ms (§2.6.1).
const TIMEOUT_MS: u64 = 400;
/// Events remembered after their end.
const REMEMBERED: usize = 16;

/// What makes two reports the same event's.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    ssrc: u32,
    timestamp: u32,
    code: u8,
}

#[derive(Clone, Copy)]
struct Report {
    identity: Identity,
    end: bool,
    duration: u16,
}

/// An event that goes on.
struct Ongoing {
    digit: Digit,
    /// The current segment's.
    identity: Identity,
    /// Ticks of earlier segments.
    earlier: u64,
    duration: u16,
    clock_rate: u32,
    start_ms: u64,
    heard_ms: u64,
}

impl Ongoing {
    /// Ticks after which `identity` begins, when it is this event's current or
    /// a later segment.
    fn continues(&self, identity: Identity) -> Option<u32> {
        let step = identity.timestamp.wrapping_sub(self.identity.timestamp);
        let same = identity.ssrc == self.identity.ssrc && identity.code == self.identity.code;
        let segment = step.is_multiple_of(SEGMENT) && step / SEGMENT <= MAX_SKIPPED;
        (same && segment).then_some(step)
    }

    fn end(&self) -> DtmfEvent {
        let ticks = self.earlier + u64::from(self.duration);
        DtmfEvent::End {
            digit: self.digit,
            start_ms: self.start_ms,
            duration_ms: millis(ticks, self.clock_rate),
        }
    }
}

/// One leg's telephone events.
#[derive(Default)]
pub struct TelephoneEvents {
    ongoing: Option<Ongoing>,
    ended: [Option<Identity>; REMEMBERED],
    next: usize,
}

impl TelephoneEvents {
    /// Nothing heard yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet that arrives at `now_ms` of media time; `clock_rate` is
    /// that of its payload type in Hz. Events other than DTMF are passed over.
    /// Gives whether the payload has the form of RFC 4733 §2.3.
    pub fn packet(
        &mut self,
        now_ms: u64,
        header: &RtpHeader,
        clock_rate: u32,
        payload: &[u8],
        sink: &mut impl FnMut(DtmfEvent),
    ) -> bool {
        let count = payload.len() / REPORT;
        let whole = payload.len().is_multiple_of(REPORT);
        if !whole || clock_rate == 0 || !(1..=MAX_REPORTS).contains(&count) {
            return false;
        }
        // Reports of one packet follow each other without a gap (§2.5.1.5).
        let mut timestamp = header.timestamp;
        for (place, bytes) in payload.chunks_exact(REPORT).enumerate() {
            let duration = u16::from_be_bytes([bytes[2], bytes[3]]);
            let identity = Identity {
                ssrc: header.ssrc,
                timestamp,
                code: bytes[0],
            };
            let report = Report {
                identity,
                end: bytes[1] & 0x80 != 0 || place + 1 < count,
                duration,
            };
            self.report(now_ms, clock_rate, report, sink);
            timestamp = timestamp.wrapping_add(duration.into());
        }
        true
    }

    fn report(
        &mut self,
        now_ms: u64,
        clock_rate: u32,
        report: Report,
        sink: &mut impl FnMut(DtmfEvent),
    ) {
        let Some(digit) = Digit::from_event_code(report.identity.code) else {
            return;
        };
        if self.ended.contains(&Some(report.identity)) {
            return;
        }
        let step = self
            .ongoing
            .as_ref()
            .and_then(|ongoing| ongoing.continues(report.identity));
        match (step, &mut self.ongoing) {
            (Some(step), Some(ongoing)) => ongoing.update(now_ms, step, report),
            _ => self.begin(now_ms, clock_rate, digit, report, sink),
        }
        if report.end {
            self.finish(sink);
        }
    }

    fn begin(
        &mut self,
        now_ms: u64,
        clock_rate: u32,
        digit: Digit,
        report: Report,
        sink: &mut impl FnMut(DtmfEvent),
    ) {
        // A new event ends one whose end was lost.
        self.finish(sink);
        let age = millis(report.duration.into(), clock_rate);
        let start_ms = now_ms.saturating_sub(age);
        sink(DtmfEvent::Start { digit, start_ms });
        self.ongoing = Some(Ongoing {
            digit,
            identity: report.identity,
            earlier: 0,
            duration: report.duration,
            clock_rate,
            start_ms,
            heard_ms: now_ms,
        });
    }

    /// Ends an event of which nothing came for long; called as media time goes
    /// on.
    pub fn tick(&mut self, now_ms: u64, sink: &mut impl FnMut(DtmfEvent)) {
        let heard_ms = self.ongoing.as_ref().map(|ongoing| ongoing.heard_ms);
        if heard_ms.is_some_and(|heard_ms| now_ms > heard_ms + TIMEOUT_MS) {
            self.finish(sink);
        }
    }

    /// Ends what goes on.
    pub fn finish(&mut self, sink: &mut impl FnMut(DtmfEvent)) {
        if let Some(ongoing) = self.ongoing.take() {
            self.ended[self.next] = Some(ongoing.identity);
            self.next = (self.next + 1) % REMEMBERED;
            sink(ongoing.end());
        }
    }
}

impl Ongoing {
    fn update(&mut self, now_ms: u64, step: u32, report: Report) {
        self.heard_ms = now_ms;
        if step > 0 {
            self.identity = report.identity;
            self.earlier += u64::from(step);
            self.duration = 0;
        }
        // Reports may come out of order.
        self.duration = self.duration.max(report.duration);
    }
}

fn millis(ticks: u64, clock_rate: u32) -> u64 {
    ticks * 1000 / u64::from(clock_rate)
}

#[cfg(test)]
mod tests;
