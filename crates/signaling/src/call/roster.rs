//! Who is in the call.

use std::collections::{HashMap, HashSet};

use crate::types::{ChangeType, DeltaParticipants, Participant};

/// More participants, or more that left, are not kept; Teams meetings have up to 1,000.
const MAX_PARTICIPANTS: usize = 5_000;

/// The participants of a call, by id.
///
/// Without [`CallOptions::is_delta_roster_enabled`](crate::types::CallOptions) a notification
/// holds the whole roster; with it, those who joined, changed or left (`removedState`). Rosters
/// with a lesser `rosterSequenceNumber` than the latest are old and ignored; with changes only,
/// the numbers are compared participant by participant.
#[derive(Debug, Default)]
pub struct Roster {
    deltas: bool,
    latest: Option<i64>,
    present: HashMap<String, Participant>,
    gone: HashMap<String, i64>,
}

/// What a notification changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RosterChange {
    /// Who is new.
    pub joined: Vec<Participant>,
    /// Who changed, as they are now.
    pub updated: Vec<Participant>,
    /// Who left, as they last were.
    pub left: Vec<Participant>,
}

impl RosterChange {
    fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.updated.is_empty() && self.left.is_empty()
    }
}

impl Roster {
    /// An empty roster; `deltas` if notifications hold changes only.
    pub fn new(deltas: bool) -> Self {
        Self {
            deltas,
            ..Self::default()
        }
    }

    /// A participant.
    pub fn get(&self, id: &str) -> Option<&Participant> {
        self.present.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.present.len()
    }

    /// Whether there is nobody, or no roster came yet.
    pub fn is_empty(&self) -> bool {
        self.present.is_empty()
    }

    /// Everyone, in no order.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.present.values()
    }

    /// Takes a notification; `None` if it is old or changes nothing.
    pub fn handle(&mut self, change: &ChangeType, people: &[Participant]) -> Option<RosterChange> {
        let mut changes = RosterChange::default();
        let deleted = *change == ChangeType::Deleted;
        if !deleted && !self.deltas {
            self.replace(people, &mut changes);
        } else {
            for one in people {
                self.change(one, deleted, &mut changes);
            }
        }
        (!changes.is_empty()).then_some(changes)
    }

    /// Takes a notification that holds changes whatever was asked for; `None` if it is old or
    /// changes nothing. Its number holds for participants who carry none.
    pub fn handle_changes(&mut self, delta: &DeltaParticipants) -> Option<RosterChange> {
        let mut changes = RosterChange::default();
        for one in delta.participants.iter().flatten() {
            let mut one = one.clone();
            one.roster_sequence_number = one.roster_sequence_number.or(delta.sequence_number);
            self.change(&one, false, &mut changes);
        }
        (!changes.is_empty()).then_some(changes)
    }

    fn change(&mut self, one: &Participant, deleted: bool, changes: &mut RosterChange) {
        if self.is_old(one) {
            return;
        }
        match deleted || one.removed_state.is_some() {
            true => self.remove(one, changes),
            false => self.insert(one, changes),
        }
    }

    fn replace(&mut self, people: &[Participant], changes: &mut RosterChange) {
        let sequence = people.iter().filter_map(number).max();
        if sequence.is_some() && sequence < self.latest {
            return;
        }
        self.latest = sequence.or(self.latest);
        let listed: HashSet<&String> = people.iter().filter_map(|one| one.id.as_ref()).collect();
        changes.left = extract(&mut self.present, |id| !listed.contains(id));
        people.iter().for_each(|one| self.insert(one, changes));
    }

    fn insert(&mut self, one: &Participant, changes: &mut RosterChange) {
        let Some(id) = &one.id else { return };
        let full = self.present.len() >= MAX_PARTICIPANTS;
        match self.present.get_mut(id) {
            Some(known) if known == one => {}
            Some(known) => {
                let news = !same_but_number(known, one);
                known.clone_from(one);
                if news {
                    changes.updated.push(one.clone());
                }
            }
            None if full => {}
            None => {
                self.gone.remove(id);
                self.present.insert(id.clone(), one.clone());
                changes.joined.push(one.clone());
            }
        }
    }

    fn remove(&mut self, one: &Participant, changes: &mut RosterChange) {
        let Some(id) = &one.id else { return };
        if self.gone.len() >= MAX_PARTICIPANTS {
            self.gone.clear();
        }
        if let Some(number) = number(one) {
            self.gone.insert(id.clone(), number);
        }
        changes.left.extend(self.present.remove(id));
    }

    fn is_old(&self, one: &Participant) -> bool {
        let Some((id, number)) = one.id.as_ref().zip(number(one)) else {
            return false;
        };
        let known = self.present.get(id).and_then(self::number);
        let left = self.gone.get(id).copied();
        known.max(left).is_some_and(|latest| number < latest)
    }
}

fn number(participant: &Participant) -> Option<i64> {
    participant.roster_sequence_number
}

/// The number alone, which every roster moves, is no news.
fn same_but_number(known: &Participant, one: &Participant) -> bool {
    let mut renumbered = known.clone();
    renumbered.roster_sequence_number = one.roster_sequence_number;
    renumbered == *one
}

fn extract(
    people: &mut HashMap<String, Participant>,
    leaves: impl Fn(&String) -> bool,
) -> Vec<Participant> {
    let ids: Vec<String> = people.keys().filter(|id| leaves(id)).cloned().collect();
    ids.iter().filter_map(|id| people.remove(id)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::RemovedState;

    fn person(id: &str, number: i64, muted: bool) -> Participant {
        Participant {
            id: Some(id.to_owned()),
            roster_sequence_number: Some(number),
            is_muted: Some(muted),
            ..Participant::default()
        }
    }

    fn ids(people: &[Participant]) -> Vec<&str> {
        people.iter().filter_map(|one| one.id.as_deref()).collect()
    }

    #[test]
    fn a_whole_roster_replaces_the_last() {
        let mut roster = Roster::new(false);
        let mut update = |people: &[Participant]| roster.handle(&ChangeType::Updated, people);
        let first = update(&[person("a", 1, false), person("b", 1, false)]).unwrap();
        assert_eq!(ids(&first.joined), ["a", "b"]);
        let second = update(&[person("a", 2, true), person("c", 2, false)]).unwrap();
        assert_eq!(ids(&second.joined), ["c"]);
        assert_eq!(ids(&second.updated), ["a"]);
        assert_eq!(ids(&second.left), ["b"]);
        assert_eq!(update(&[person("a", 3, true), person("c", 3, false)]), None);
    }

    #[test]
    fn an_old_roster_is_ignored() {
        let mut roster = Roster::new(false);
        let mut update = |people: &[Participant]| roster.handle(&ChangeType::Updated, people);
        update(&[person("a", 5, false)]);
        assert_eq!(update(&[person("a", 4, true), person("b", 4, false)]), None);
        assert_eq!(update(&[person("a", 5, false)]), None);
        assert_eq!(roster.participants().count(), 1);
    }

    #[test]
    fn changes_are_compared_one_by_one() {
        let mut roster = Roster::new(true);
        let removed = |number| Participant {
            removed_state: Some(RemovedState::default()),
            ..person("a", number, false)
        };
        let mut update = |people: &[Participant]| roster.handle(&ChangeType::Updated, people);
        assert_eq!(
            ids(&update(&[person("a", 1, false)]).unwrap().joined),
            ["a"]
        );
        assert_eq!(
            ids(&update(&[person("b", 2, false)]).unwrap().joined),
            ["b"]
        );
        assert_eq!(ids(&update(&[removed(4)]).unwrap().left), ["a"]);
        assert_eq!(update(&[person("a", 3, true)]), None);
        assert_eq!(update(&[removed(4)]), None);
        assert_eq!(
            ids(&update(&[person("a", 5, false)]).unwrap().joined),
            ["a"]
        );
        assert!(roster.get("a").is_some());
    }

    #[test]
    fn changes_that_say_so_carry_their_number() {
        let mut roster = Roster::new(false);
        let mut whole = |people: &[Participant]| roster.handle(&ChangeType::Updated, people);
        whole(&[person("a", 3, false), person("b", 3, false)]).unwrap();
        let unnumbered = |id: &str, removed: Option<RemovedState>| Participant {
            id: Some(id.to_owned()),
            removed_state: removed,
            ..Participant::default()
        };
        let delta = |number, people: Vec<Participant>| DeltaParticipants {
            sequence_number: Some(number),
            participants: Some(people),
            ..DeltaParticipants::default()
        };
        let left = unnumbered("b", Some(RemovedState::default()));
        let change = roster
            .handle_changes(&delta(5, vec![unnumbered("c", None), left]))
            .unwrap();
        assert_eq!(
            (ids(&change.joined), ids(&change.left)),
            (vec!["c"], vec!["b"])
        );
        // Late: b was there at 4, but has left at 5.
        assert_eq!(
            roster.handle_changes(&delta(4, vec![unnumbered("b", None)])),
            None
        );
        assert_eq!(roster.participants().count(), 2);
    }

    #[test]
    fn people_without_an_id_are_left_out() {
        let mut roster = Roster::new(false);
        let nobody = [Participant::default()];
        assert_eq!(roster.handle(&ChangeType::Updated, &nobody), None);
    }
}
