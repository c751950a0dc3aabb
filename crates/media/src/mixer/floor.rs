//! Who has the floor.

/// Below −60 dBov nobody speaks, whatever the background.
const SILENCE: f32 = 1e-6;
/// Mean square above the background that counts as speech: 6 dB.
const ABOVE: f32 = 4.0;
/// Rise of the background's estimate per frame; it falls at once, so pauses
/// between words find it. 3 dB per second.
const RISE: f32 = 1.014;
/// Weight of a frame in the activity: 400 ms, about two syllables.
const ATTACK: f32 = 0.05;
/// Decay of the activity: 1.2 s, a breath.
const DECAY: f32 = 0.983;
/// Activity from which somebody is said to speak: 200 ms of speech.
const SPEAKING: f32 = 0.3;
/// Activity under which a speaker is one no more: 3 s of silence.
const SILENT: f32 = 0.08;
/// By how much the activity must be larger to be put before another.
const LEAD: f32 = 0.25;

#[derive(Clone, Copy)]
struct Voice {
    /// Mean square of the background noise.
    background: f32,
    /// How much was spoken lately, 0–1.
    activity: f32,
    speaking: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            background: SILENCE,
            activity: 0.0,
            speaking: false,
        }
    }
}

impl Voice {
    fn hear(&mut self, power: f32) {
        self.background = (self.background * RISE).min(power).max(SILENCE);
        // From 6 dB (0) to 26 dB (1) above the background.
        let ratio = power / (self.background * ABOVE);
        let speech = (ratio.max(1.0).log10() / 2.0).min(1.0);
        if speech > self.activity {
            self.activity += ATTACK * (speech - self.activity);
        } else {
            self.activity *= DECAY;
        }
    }
}

/// All participants' activity and their order.
pub(super) struct Floor {
    voices: Box<[Voice]>,
    /// Speakers in order, then unused places.
    order: Box<[usize]>,
    speakers: usize,
}

impl Floor {
    pub(super) fn new(seats: usize) -> Self {
        Self {
            voices: vec![Voice::default(); seats].into(),
            order: vec![0; seats].into(),
            speakers: 0,
        }
    }

    /// Takes the mean square of a participant's frame.
    pub(super) fn hear(&mut self, seat: usize, power: f32) {
        self.voices[seat].hear(power);
    }

    /// Brings the order up to date: new speakers to the end, then everyone past
    /// those it clearly leads.
    pub(super) fn rank(&mut self) {
        for seat in 0..self.voices.len() {
            let voice = &mut self.voices[seat];
            if voice.speaking && voice.activity < SILENT {
                self.remove(seat);
            } else if !voice.speaking && voice.activity > SPEAKING {
                voice.speaking = true;
                self.order[self.speakers] = seat;
                self.speakers += 1;
            }
        }
        for last in 1..self.speakers {
            let mut at = last;
            while at > 0 && self.leads(self.order[at], self.order[at - 1]) {
                self.order.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn leads(&self, a: usize, b: usize) -> bool {
        self.voices[a].activity > self.voices[b].activity + LEAD
    }

    fn remove(&mut self, seat: usize) {
        self.voices[seat].speaking = false;
        let speakers = &mut self.order[..self.speakers];
        if let Some(at) = speakers.iter().position(|other| *other == seat) {
            speakers[at..].rotate_left(1);
            self.speakers -= 1;
        }
    }

    pub(super) fn forget(&mut self, seat: usize) {
        if seat < self.voices.len() {
            self.remove(seat);
            self.voices[seat] = Voice::default();
        }
    }

    pub(super) fn speakers(&self) -> &[usize] {
        &self.order[..self.speakers]
    }
}
