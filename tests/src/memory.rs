//! Another process's memory, searched for what must not be there.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use crate::Failure;

/// Length of a needle in bytes: no sixteen bytes are found by chance.
pub const NEEDLE: usize = 16;
/// What is read at a time, and how far pieces overlap.
const PIECE: usize = 1 << 20;
const OVERLAP: usize = NEEDLE - 1;
const PAGE: u64 = 4096;

/// What is searched for, by name.
#[derive(Default)]
pub struct Needles {
    by_bytes: BTreeMap<[u8; NEEDLE], &'static str>,
    /// Finds them all at once; made when they are first searched for.
    search: OnceLock<(AhoCorasick, Vec<&'static str>)>,
}

impl Needles {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the first [`NEEDLE`] bytes of `bytes`; what is shorter, or mostly one byte, is
    /// found anywhere and so left out.
    pub fn add(&mut self, what: &'static str, bytes: &[u8]) {
        let Some(needle) = bytes.first_chunk::<NEEDLE>() else {
            return;
        };
        let most = needle
            .iter()
            .map(|byte| needle.iter().filter(|other| *other == byte).count());
        if most.max().unwrap_or(0) > NEEDLE / 2 {
            return;
        }
        self.by_bytes.insert(*needle, what);
        self.search = OnceLock::new();
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_bytes.len()
    }

    /// How often each kind is in the memory of process `pid` that it could have written to:
    /// heap, stacks, data, and what has no file behind it.
    ///
    /// # Errors
    /// The memory can't be read.
    pub fn find(&self, pid: u32) -> Result<HashMap<&'static str, usize>, Failure> {
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let maps = BufReader::new(File::open(format!("/proc/{pid}/maps"))?);
        let mut found = HashMap::new();
        let mut bytes = vec![0; PIECE];
        for line in maps.lines() {
            let line = line?;
            let Some((begin, end)) = writable(&line) else {
                continue;
            };
            let mut at = begin;
            while at < end {
                let wanted = usize::try_from(end - at)?.min(PIECE);
                // A page that has been unmapped meanwhile, or can't be read, holds nothing.
                let Ok(read) = memory.read_at(&mut bytes[..wanted], at) else {
                    at += PAGE;
                    continue;
                };
                self.count_in(&bytes[..read], &mut found);
                if read <= OVERLAP || at + read as u64 >= end {
                    break;
                }
                at += (read - OVERLAP) as u64;
            }
        }
        Ok(found)
    }

    /// How often each kind is in `bytes`.
    pub fn find_in(&self, bytes: &[u8]) -> HashMap<&'static str, usize> {
        let mut found = HashMap::new();
        self.count_in(bytes, &mut found);
        found
    }

    fn count_in(&self, bytes: &[u8], found: &mut HashMap<&'static str, usize>) {
        let (search, kinds) = self.search.get_or_init(|| {
            let search = AhoCorasick::new(self.by_bytes.keys());
            // They are few enough for any automaton.
            (
                search.expect("an automaton"),
                self.by_bytes.values().copied().collect(),
            )
        });
        for needle in search.find_iter(bytes) {
            *found.entry(kinds[needle.pattern().as_usize()]).or_default() += 1;
        }
    }
}

/// The range of a line of `/proc/PID/maps`, if the process may write there, or could before.
fn writable(line: &str) -> Option<(u64, u64)> {
    let (range, rest) = line.split_once(' ')?;
    let (begin, end) = range.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    // Permissions, offset, device, inode, name. What has no file behind it may have been
    // written to before it was made read-only; the kernel's own pages can't.
    let of_no_file = rest.split_whitespace().nth(3) == Some("0") && !rest.contains("[v");
    let held = rest.starts_with("rw") || (rest.starts_with('r') && of_no_file);
    held.then_some((number(begin)?, number(end)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_what_it_holds_and_nothing_else() {
        let mut needles = Needles::new();
        let secret: Vec<u8> = (0..64_u8).map(|n| n.wrapping_mul(73) ^ 0x5a).collect();
        let absent: Vec<u8> = secret.iter().map(|byte| !byte).collect();
        needles.add("kept", &secret[8..]);
        needles.add("absent", &absent[8..]);
        needles.add("zeros", &[0; 64]);
        assert_eq!(needles.count(), 2);
        drop(absent);
        let found = needles.find(std::process::id()).unwrap();
        assert!(found["kept"] >= 1);
        assert!(!found.contains_key("zeros"));
        assert!(secret.len() == 64);
    }
}
