//! News for those who would rather look at once than at their next turn.
//!
//! Within a process they are counted; between processes that share a PostgreSQL database they
//! go by its `NOTIFY`, which is sent with the commit. What is said while nobody listens, or a
//! connection is lost, is told to nobody: so whoever waits for news looks from time to time,
//! too.

use std::convert::Infallible;
use std::sync::Arc;

use secrecy::ExposeSecret;
use sqlx::postgres::PgListener;
use sqlx::{Any, Transaction};
use tokio::sync::watch;

use crate::error::StoreError;
use crate::store::Store;

/// What there is news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A reminder was made, or has to be looked at now.
    Reminders,
    /// Somebody wants a call hung up, or something done in a room.
    Calls,
}

impl Topic {
    const ALL: [Self; 2] = [Self::Reminders, Self::Calls];

    /// PostgreSQL's name for it, within the database.
    fn channel(self) -> &'static str {
        match self {
            Self::Reminders => "switchboard_reminders",
            Self::Calls => "switchboard_calls",
        }
    }

    fn notify(self) -> &'static str {
        match self {
            Self::Reminders => "NOTIFY switchboard_reminders",
            Self::Calls => "NOTIFY switchboard_calls",
        }
    }
}

/// Counts news; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct News {
    reminders: Arc<watch::Sender<u64>>,
    calls: Arc<watch::Sender<u64>>,
}

impl Default for News {
    fn default() -> Self {
        Self {
            reminders: Arc::new(watch::Sender::new(0)),
            calls: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl News {
    fn of(&self, topic: Topic) -> &watch::Sender<u64> {
        match topic {
            Topic::Reminders => &self.reminders,
            Topic::Calls => &self.calls,
        }
    }

    fn tell(&self, topic: Topic) {
        self.of(topic).send_modify(|count| *count += 1);
    }
}

impl Store {
    /// Changes when there is news: of this process, and of others that share the database
    /// while this one [listens](Self::listen).
    pub fn news(&self, topic: Topic) -> watch::Receiver<u64> {
        self.news.of(topic).subscribe()
    }

    /// Hears other processes' news until the connection can't be had any more. A file has no
    /// other processes.
    ///
    /// # Errors
    /// The database's; listen again after a while.
    pub async fn listen(&self) -> Result<Infallible, StoreError> {
        let Some(address) = &self.shared else {
            return std::future::pending().await;
        };
        let mut listener = PgListener::connect(address.expose_secret()).await?;
        let channels = Topic::ALL.map(Topic::channel);
        listener.listen_all(channels).await?;
        loop {
            // Of what was said until now nothing is known.
            for topic in Topic::ALL {
                self.news.tell(topic);
            }
            // It ends with the connection, and goes on with the next one.
            while let Some(told) = listener.try_recv().await? {
                let known = |topic: &Topic| topic.channel() == told.channel();
                if let Some(topic) = Topic::ALL.into_iter().find(known) {
                    self.news.tell(topic);
                }
            }
        }
    }

    /// Commits what is news to others.
    pub(crate) async fn commit_news(
        &self,
        mut work: Transaction<'static, Any>,
        topic: Topic,
    ) -> Result<(), StoreError> {
        if self.shared.is_some() {
            sqlx::query(topic.notify()).execute(&mut *work).await?;
        }
        work.commit().await?;
        self.news.tell(topic);
        Ok(())
    }
}
