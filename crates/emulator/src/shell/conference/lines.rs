//! The dominant speakers, each on a line of their own, for whoever takes them beside the
//! mix.

use switchboard_media::engine::{LiveAudio, Voice, VoiceError};
use switchboard_media::mixer::Mixer;

use super::Frame;

/// Rounds of silence that are still sent, for the codec to come to rest.
const TAIL: u32 = 10;

/// Somebody who is heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker {
    pub(super) seat: u32,
    /// The seat's place in the mixer.
    pub(super) place: usize,
}

/// One listener's lines.
pub(super) struct Lines {
    voices: Vec<(Voice, Stillness)>,
    /// Who speaks in each.
    seats: Vec<Option<u32>>,
}

/// Rounds in which nothing was to be heard.
#[derive(Default)]
pub(super) struct Stillness(u32);

impl Stillness {
    /// Whether silence has lasted so long that this frame need not be sent.
    pub(super) fn lasts(&mut self, frame: &Frame) -> bool {
        let still = frame.iter().all(|sample| *sample == 0.0);
        self.0 = if still { self.0.saturating_add(1) } else { 0 };
        self.0 > TAIL
    }
}

/// Says a frame after those that wait.
pub(super) fn say(voice: &mut Voice, say: impl FnOnce(&mut Voice) -> Result<(), VoiceError>) {
    if let Err(VoiceError::Full) = say(voice) {
        // Better a gap than to be heard half a second late from now on.
        voice.hush();
    }
}

impl Lines {
    pub(super) fn new(audio: Vec<LiveAudio>) -> Self {
        let voices = audio.into_iter().map(|line| line.voice);
        let voices: Vec<_> = voices.map(|voice| (voice, Stillness::default())).collect();
        Self {
            seats: vec![None; voices.len()],
            voices,
        }
    }

    pub(super) fn are_there(&self) -> bool {
        !self.voices.is_empty()
    }

    /// Says what the most dominant of the others said in this round.
    pub(super) fn say(&mut self, own: u32, dominant: &[Speaker], mixer: &Mixer) {
        let others = dominant.iter().filter(|one| one.seat != own);
        hand_out(&mut self.seats, others.map(|one| one.seat));
        for (seat, (voice, still)) in self.seats.iter().zip(&mut self.voices) {
            let speaker = dominant.iter().find(|one| Some(one.seat) == *seat);
            let said = speaker.and_then(|one| Some((one.seat, mixer.said(one.place)?)));
            if let Some((seat, frame)) = said
                && !still.lasts(frame)
            {
                say(voice, |voice| voice.say_for(seat, frame));
            }
        }
    }
}

/// Gives lines to as many of those who dominate as there are. Who has one keeps it while
/// among them.
fn hand_out(lines: &mut [Option<u32>], dominant: impl Iterator<Item = u32> + Clone) {
    let first = dominant.take(lines.len());
    for line in lines.iter_mut() {
        if !first.clone().any(|seat| *line == Some(seat)) {
            *line = None;
        }
    }
    for seat in first {
        if lines.contains(&Some(seat)) {
            continue;
        }
        if let Some(free) = lines.iter_mut().find(|line| line.is_none()) {
            *free = Some(seat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speakers_keep_their_lines_while_they_are_among_the_first() {
        let mut lines = [None; 2];
        let mut after = |dominant: &[u32]| {
            hand_out(&mut lines, dominant.iter().copied());
            lines
        };
        assert_eq!(after(&[7]), [Some(7), None]);
        assert_eq!(after(&[8, 7, 9]), [Some(7), Some(8)]);
        assert_eq!(after(&[9, 8, 7]), [Some(9), Some(8)]);
        assert_eq!(after(&[8]), [None, Some(8)]);
        assert_eq!(after(&[]), [None, None]);
    }

    #[test]
    fn without_lines_there_is_nothing_to_hand_out() {
        let mut none: [Option<u32>; 0] = [];
        hand_out(&mut none, [1, 2].into_iter());
        assert!(!Lines::new(Vec::new()).are_there());
    }
}
