//! What a call has collected.

use std::fmt;

use zeroize::Zeroizing;

/// As many values as are kept of a call.
const MOST: usize = 64;

/// Keys a caller has entered, by the name the flow gives them, and details of intents, by the
/// engine's. Never printed, wiped with the call.
#[derive(Default)]
pub struct Values(Vec<(String, Zeroizing<String>)>);

impl Values {
    /// Lends a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter();
        values
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All of them, for a web hook's request.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether one more, if it is one more, is kept: engines name theirs as they like.
    pub(super) fn has_room_for(&self, name: &str) -> bool {
        self.0.len() < MOST || self.get(name).is_some()
    }

    pub(super) fn set(&mut self, name: &str, value: Zeroizing<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.0.len())
    }
}
