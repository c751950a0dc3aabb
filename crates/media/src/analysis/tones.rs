//! Keys heard as tones, in media time.
//!
//! Where packets stay away, silence is heard in real time as a guess. In the middle of a key
//! such a silence would part it in two, if the packets then come and were only late. So the
//! detector waits with a key until it is known: packets that were late go on where the key
//! was, and silence that was there is heard then.

use crate::codec::RATE;
use crate::dtmf::{Detector, DtmfEvent, FINISH_MS, Rate};

/// A key waits at most so long for its packets; the jitter buffer waits no longer either.
const LONGEST_WAIT: usize = RATE as usize / 2;
/// What is heard at once of a wait that was silence.
const SILENCE: [f32; 64] = [0.0; 64];

pub(super) struct Tones {
    detector: Detector,
    /// Samples of media time.
    count: u64,
    /// Samples that the detector heard.
    heard: u64,
    /// Samples of silence guessed that it did not hear yet.
    waited: usize,
    /// Where the key began that is pressed.
    start_ms: u64,
}

impl Tones {
    pub(super) fn new() -> Self {
        Self {
            detector: Detector::new(Rate::Hz16000),
            count: 0,
            heard: 0,
            waited: 0,
            start_ms: 0,
        }
    }

    /// Takes audio, that a decoder made up perhaps.
    pub(super) fn push(
        &mut self,
        samples: &[f32],
        concealed: bool,
        sink: &mut impl FnMut(DtmfEvent),
    ) {
        self.count += samples.len() as u64;
        self.hear(samples, concealed, sink);
    }

    /// Takes silence that is guessed, because nothing came.
    pub(super) fn guess(&mut self, samples: &[f32], sink: &mut impl FnMut(DtmfEvent)) {
        self.count += samples.len() as u64;
        let open = self.detector.is_pressed() || self.detector.suspects();
        if self.waited == 0 && !open {
            return self.hear(samples, false, sink);
        }
        self.waited += samples.len();
        if self.waited > LONGEST_WAIT {
            self.was_silence(self.waited, sink);
        }
    }

    /// Of what was guessed so many samples were silent, or are lost.
    pub(super) fn was_silence(&mut self, samples: usize, sink: &mut impl FnMut(DtmfEvent)) {
        let mut rest = samples.min(self.waited);
        while rest > 0 {
            let piece = rest.min(SILENCE.len());
            (self.waited, rest) = (self.waited - piece, rest - piece);
            self.hear(&SILENCE[..piece], false, sink);
        }
    }

    /// What was guessed besides was not there: the packets were late.
    pub(super) fn was_late(&mut self) {
        self.waited = 0;
    }

    fn hear(&mut self, samples: &[f32], concealed: bool, sink: &mut impl FnMut(DtmfEvent)) {
        self.heard += samples.len() as u64;
        let behind_ms = self.behind_ms();
        let started = &mut self.start_ms;
        let mut tell = |event| sink(in_media_time(event, behind_ms, started));
        match concealed {
            true => self.detector.push_concealed(samples, &mut tell),
            false => self.detector.push(samples, &mut tell),
        }
    }

    /// Ends the key that is still pressed.
    pub(super) fn finish(&mut self, sink: &mut impl FnMut(DtmfEvent)) {
        self.waited = 0;
        let behind_ms = self.behind_ms();
        let started = &mut self.start_ms;
        let mut tell = |event| sink(in_media_time(event, behind_ms, started));
        self.detector.finish(&mut tell);
        self.heard += FINISH_MS * u64::from(RATE) / 1000;
    }

    /// How far the detector's own time is behind media time: it stands still while it waits.
    fn behind_ms(&self) -> i64 {
        let behind = self.count as i64 - self.waited as i64 - self.heard as i64;
        behind * 1000 / i64::from(RATE)
    }

    /// As of [`Detector`].
    pub(super) fn is_pressed(&self) -> bool {
        self.detector.is_pressed()
    }

    /// As of [`Detector`].
    pub(super) fn suspects(&self) -> bool {
        self.detector.suspects()
    }
}

/// The event of a detector that is so far behind; a key's end names its beginning as told.
fn in_media_time(event: DtmfEvent, behind_ms: i64, started: &mut u64) -> DtmfEvent {
    match event {
        DtmfEvent::Start { digit, start_ms } => {
            *started = start_ms.saturating_add_signed(behind_ms);
            DtmfEvent::Start {
                digit,
                start_ms: *started,
            }
        }
        DtmfEvent::End {
            digit, duration_ms, ..
        } => DtmfEvent::End {
            digit,
            start_ms: *started,
            duration_ms,
        },
    }
}
