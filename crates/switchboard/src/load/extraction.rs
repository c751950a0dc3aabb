//! What an engine behind the hook would get of a call.

use switchboard_media::engine::Ears;
use switchboard_media::features::{LogMel, PitchTracker, WhisperBins};

/// Makes features of a call's live audio and lets go of them.
pub(super) struct Extraction {
    ears: Ears,
    log_mel: Box<LogMel>,
    pitch: PitchTracker,
}

impl Extraction {
    pub(super) fn new(mut ears: Ears) -> Self {
        ears.listen();
        Self {
            ears,
            log_mel: Box::new(LogMel::new(WhisperBins::B80)),
            pitch: PitchTracker::new(),
        }
    }

    /// Takes all that was heard since; to be called with every event of the call, which has
    /// one every 100 ms at least.
    pub(super) fn catch_up(&mut self) {
        let Self {
            ears,
            log_mel,
            pitch,
        } = self;
        let mut take = |_, samples: &_| {
            log_mel.push(samples, &mut |vector| _ = std::hint::black_box(vector));
            pitch.push(samples, &mut |found| _ = std::hint::black_box(found));
        };
        while ears
            .receive(|end, samples| take(end, &samples[..]))
            .is_some()
        {}
    }
}
