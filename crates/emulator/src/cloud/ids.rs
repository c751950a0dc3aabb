//! Ids that look like GUIDs and follow from a seed.

/// A stream of ids; the same seed gives the same stream (SplitMix64).
#[derive(Debug)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A GUID in the form of RFC 9562's version 4. Ids name things, they are not
    /// secrets: tokens come from elsewhere.
    pub(crate) fn guid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
            .hyphenated()
            .to_string()
    }

    /// This many decimal digits.
    pub(crate) fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + (self.next() % 10) as u8))
            .collect()
    }

    /// This many letters and digits, none of which looks like another.
    pub(crate) fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyzABCDEF23";
        (0..count)
            .map(|_| char::from(LETTERS[(self.next() % 32) as usize]))
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_fixes_all_ids_and_no_two_are_the_same() {
        let (mut one, mut other) = (Ids::new(7), Ids::new(7));
        let ids: Vec<_> = (0..100).map(|_| one.guid()).collect();
        assert!(ids.iter().all(|id| *id == other.guid()));
        assert_ne!(Ids::new(8).guid(), ids[0]);
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), 100);
        assert!(
            ids[0]
                .parse::<switchboard_signaling::types::CallId>()
                .is_ok()
        );
    }
}
