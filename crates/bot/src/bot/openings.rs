//! Rooms that open by the clock: at the beginning of their hours, once each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Shared;

/// How often it is looked whether a room opens by the clock: the flow may be another.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// When it is asked again who opens a room.
const AGAIN: Duration = Duration::from_secs(5);
/// Later than this a room isn't opened any more.
const LATE: Duration = Duration::from_secs(300);

/// Who opens rooms by the clock, among instances of a bot and their earlier lives.
#[async_trait]
pub trait Openings: Send + Sync {
    /// Takes a room's opening at a time; `false` if it is somebody else's.
    ///
    /// # Errors
    /// It can't be told now; it is asked again.
    async fn claim(&self, room: &str, at: Timestamp) -> Result<bool, OpeningError>;
}

/// Why it can't be told who opens a room.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OpeningError(Box<dyn std::error::Error + Send + Sync>);

impl OpeningError {
    /// For this reason.
    pub fn new(reason: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(reason))
    }
}

/// Opens rooms at the beginning of their hours, for ever.
pub(super) async fn open_by_the_clock(shared: Weak<Shared>) {
    let mut clockwork = Clockwork {
        begun: Timestamp::now(),
        last: BTreeMap::new(),
    };
    while let Some(shared) = shared.upgrade() {
        let wait = clockwork.look(&shared, Timestamp::now()).await;
        drop(shared);
        tokio::time::sleep(wait).await;
    }
}

/// Which openings are behind us.
struct Clockwork {
    begun: Timestamp,
    /// Of each room the last one that was opened, by whomever.
    last: BTreeMap<String, Timestamp>,
}

impl Clockwork {
    /// Opens what is due, and gives how long to wait until it is looked again.
    async fn look(&mut self, shared: &Arc<Shared>, now: Timestamp) -> Duration {
        let script = shared.script();
        let mut wait = LOOK_EVERY;
        for room in script.flow.rooms() {
            let since = self.since(room, shared.openings.is_some(), now);
            let Some(at) = script.flow.opens_after(room, since) else {
                continue;
            };
            if let Ok(ahead) = Duration::try_from(at.duration_since(now))
                && !ahead.is_zero()
            {
                wait = wait.min(ahead);
                continue;
            }
            // Whoever goes on opens it.
            if shared.is_stopping() {
                continue;
            }
            match claim(shared, room, at).await {
                Ok(ours) => {
                    self.last.insert(room.to_owned(), at);
                    wait = Duration::ZERO;
                    if ours {
                        let script = Arc::clone(&script);
                        shared.open_room(script, room.to_owned(), BTreeMap::new(), None);
                    }
                }
                Err(error) => {
                    tracing::warn!(room, %error, "a room that is due has to wait");
                    wait = wait.min(AGAIN);
                }
            }
        }
        wait
    }

    /// Since when openings of a room are to be made up for. With nobody to ask, an earlier
    /// life may have opened what was due before this one began.
    fn since(&self, room: &str, asked: bool, now: Timestamp) -> Timestamp {
        let late = now.checked_sub(LATE).unwrap_or(now);
        let known = self.last.get(room).copied();
        let known = known.or((!asked).then_some(self.begun));
        known.map_or(late, |known| known.max(late))
    }
}

async fn claim(shared: &Shared, room: &str, at: Timestamp) -> Result<bool, OpeningError> {
    match &shared.openings {
        Some(openings) => openings.claim(room, at).await,
        None => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_made_up_for_where_it_is_known_who_opened_what() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let mut clockwork = Clockwork {
            begun: at(0),
            last: BTreeMap::new(),
        };
        assert_eq!(clockwork.since("standup", true, at(10)), at(-290));
        assert_eq!(clockwork.since("standup", false, at(10)), at(0));
        clockwork.last.insert("standup".to_owned(), at(7));
        assert_eq!(clockwork.since("standup", true, at(10)), at(7));
        assert_eq!(clockwork.since("visit", true, at(10)), at(-290));
        // A machine that slept, or a database that was away for long, opens nothing late.
        assert_eq!(clockwork.since("standup", true, at(1000)), at(700));
        assert_eq!(clockwork.since("visit", false, at(1000)), at(700));
    }
}
