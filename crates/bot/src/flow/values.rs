//! What a call has collected.

use std::fmt;

use zeroize::Zeroizing;

/// Keys a caller has entered, by the name the flow gives them. Never printed, wiped
/// with the call.
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

    pub(super) fn set(&mut self, name: &str, value: Zeroizing<String>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}
