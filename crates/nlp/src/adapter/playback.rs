//! What an agent has sent to be played, and the marks it has set.

use std::collections::VecDeque;

use crate::Transient;

/// Audio and marks in the order they came. Bounded: while it refuses audio, its
/// owner stops reading from the agent.
pub struct Playback {
    items: VecDeque<Item>,
    /// How much of the first item has been played.
    played: usize,
    queued: usize,
    most: usize,
    reached: VecDeque<String>,
}

enum Item {
    Audio(Transient<Vec<u8>>),
    Mark(String),
}

/// The most marks that wait; agents set one per utterance.
const MOST_MARKS: usize = 1_024;

impl Playback {
    /// Room for `most` bytes of audio.
    pub fn new(most: usize) -> Self {
        Self {
            items: VecDeque::new(),
            played: 0,
            queued: 0,
            most,
            reached: VecDeque::new(),
        }
    }

    /// How many bytes wait.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Takes audio, or gives it back while there is no room for it.
    ///
    /// # Errors
    /// The audio, when what waits must be played first.
    pub fn push(&mut self, audio: Transient<Vec<u8>>) -> Result<(), Transient<Vec<u8>>> {
        let size = audio.with(Vec::len);
        if self.queued > 0 && self.queued + size > self.most {
            return Err(audio);
        }
        if size > 0 {
            self.queued += size;
            self.items.push_back(Item::Audio(audio));
        }
        Ok(())
    }

    /// Sets a mark behind the audio so far; `false` when there are too many.
    pub fn mark(&mut self, name: String) -> bool {
        let marks = self
            .items
            .iter()
            .filter(|item| matches!(item, Item::Mark(_)))
            .count();
        if marks + self.reached.len() >= MOST_MARKS {
            return false;
        }
        self.items.push_back(Item::Mark(name));
        self.settle();
        true
    }

    /// Forgets the audio; all marks count as reached.
    pub fn clear(&mut self) {
        self.played = 0;
        self.queued = 0;
        let marks = self.items.drain(..).filter_map(|item| match item {
            Item::Mark(name) => Some(name),
            Item::Audio(_) => None,
        });
        self.reached.extend(marks);
    }

    /// Fills the front of `frame` with what is next; says how much that was.
    pub fn pull(&mut self, frame: &mut [u8]) -> usize {
        let mut filled = 0;
        while let (Some(Item::Audio(audio)), true) = (self.items.front(), filled < frame.len()) {
            let (taken, done) = audio.with(|audio| {
                let rest = &audio[self.played..];
                let taken = rest.len().min(frame.len() - filled);
                frame[filled..filled + taken].copy_from_slice(&rest[..taken]);
                (taken, taken == rest.len())
            });
            filled += taken;
            self.queued -= taken;
            self.played = if done { 0 } else { self.played + taken };
            if done {
                self.items.pop_front();
                self.settle();
            }
        }
        filled
    }

    /// The next mark that playing has reached.
    pub fn reached(&mut self) -> Option<String> {
        self.reached.pop_front()
    }

    /// Marks at the front have nothing left before them.
    fn settle(&mut self) {
        while let Some(Item::Mark(_)) = self.items.front() {
            if let Some(Item::Mark(name)) = self.items.pop_front() {
                self.reached.push_back(name);
            }
        }
    }
}
