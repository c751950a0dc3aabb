//! Which instance has which call and which room, among those that share a database.
//!
//! Each says every few seconds that it lives and what calls it has. One that says nothing
//! for as long as a lease lasts is gone: the others end its calls. Whether it is silent is
//! held against one's own clock, and only over a time in which the database could be read:
//! when it was away, everybody begins anew.

mod pulse;
pub(crate) mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use switchboard_store::{Instance, Store, StoreError, Topic};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::news::heard;
use crate::rooms::Rooms;
use crate::switch::{LiveCall, Switch};
use pulse::Pulse;

/// How often an instance says that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// What happens in calls is told this much later at most, all at once.
const GATHER: Duration = Duration::from_millis(200);
/// How long a round waits for calls to be ended. With the beat it is less than the silence
/// after which an instance counts as gone.
const ENDING: Duration = Duration::from_secs(10);

/// What the others are told of a call: not who is in it.
#[derive(Serialize, Deserialize)]
struct About {
    application: String,
    incoming: bool,
    since: Timestamp,
    state: String,
    flow: String,
    participants: u32,
}

/// An instance's part in the roll of calls.
pub struct Roll {
    store: Store,
    switch: Arc<dyn Switch>,
    clock: Arc<dyn Clock>,
    name: String,
    url: String,
    pulse: Pulse,
    rooms: Option<Arc<dyn Rooms>>,
    /// Calls of an earlier life under the same name.
    left: BTreeSet<String>,
}

impl Roll {
    /// The part of the instance `name`, whose calls `switch` has and whose API is at `url`.
    pub fn new(
        store: Store,
        switch: Arc<dyn Switch>,
        clock: Arc<dyn Clock>,
        name: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            store,
            switch,
            clock,
            name: name.into(),
            url: url.into(),
            pulse: Pulse::default(),
            rooms: None,
            left: BTreeSet::new(),
        }
    }

    /// The same for an instance that has rooms.
    #[must_use]
    pub fn with_rooms(self, rooms: Arc<dyn Rooms>) -> Self {
        Self {
            rooms: Some(rooms),
            ..self
        }
    }

    /// Keeps the roll until `end`, and says goodbye then: calls that are still there are left
    /// to the others. Dropped before, it leaves them to find out, as a crash would.
    pub async fn keep(mut self, end: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = self.rounds() => {}
            () = end => {}
        }
        if let Err(error) = self.leave().await {
            tracing::warn!(%error, "the others find out by themselves that this instance ended");
        }
    }

    async fn rounds(&mut self) {
        while let Err(error) = self.remember().await {
            tracing::warn!(%error, "the roll of calls can't be read");
            self.wait(BEAT).await;
        }
        let mut changes = self.switch.changes();
        let mut wishes = Some(self.store.news(Topic::Calls));
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "the roll of calls can't be kept; calls go on");
                self.pulse.interrupted();
            }
            self.wait(GATHER).await;
            tokio::select! {
                () = heard(&mut changes) => {}
                () = heard(&mut wishes) => {}
                () = self.wait(BEAT) => {}
            }
        }
    }

    async fn wait(&self, time: Duration) {
        let until = self.clock.now().checked_add(time);
        self.clock
            .sleep_until(until.unwrap_or(Timestamp::MAX))
            .await;
    }

    /// What an earlier life under this name had: nobody has it any more.
    async fn remember(&mut self) -> Result<(), StoreError> {
        let left = self.store.kept_calls(Some(&self.name)).await?;
        self.left = left.into_iter().map(|call| call.id).collect();
        Ok(())
    }

    async fn round(&mut self) -> Result<(), StoreError> {
        self.end_own().await;
        for unwanted in self.say(&self.own()).await? {
            self.switch.hang_up(&unwanted);
        }
        if let Some(rooms) = &self.rooms {
            rooms::keep(&self.store, &self.name, &**rooms).await?;
        }
        let instances = self.store.instances().await?;
        for gone in self.pulse.gone(&self.name, instances, self.clock.now()) {
            self.end_of(&gone.name).await?;
            self.store.forget_rooms(&gone.name).await?;
            self.store.forget_instance(&gone).await?;
        }
        Ok(())
    }

    /// This instance, now.
    fn own(&self) -> Instance {
        Instance {
            name: self.name.clone(),
            url: self.url.clone(),
            seen: self.clock.now(),
        }
    }

    /// Says what calls there are, and gives those that somebody wants hung up.
    async fn say(&self, own: &Instance) -> Result<Vec<String>, StoreError> {
        let mut calls: BTreeMap<String, String> = self.left.iter().map(|id| unknown(id)).collect();
        calls.extend(self.switch.calls().into_iter().map(told));
        self.store.keep_calls(own, &calls).await
    }

    async fn leave(&self) -> Result<(), StoreError> {
        let own = self.own();
        self.say(&own).await?;
        self.store.forget_rooms(&own.name).await?;
        self.store.forget_instance(&own).await
    }

    async fn end_own(&mut self) {
        for ended in self.end(self.left.iter().cloned()).await {
            self.left.remove(&ended);
        }
    }

    /// Ends what an instance that is gone has left behind; what can't be ended now stays.
    async fn end_of(&self, gone: &str) -> Result<(), StoreError> {
        let left = self.store.kept_calls(Some(gone)).await?;
        for ended in self.end(left.into_iter().map(|call| call.id)).await {
            self.store.forget_call(&ended).await?;
        }
        Ok(())
    }

    /// Ends calls all at once, and gives those that are over.
    async fn end(&self, calls: impl Iterator<Item = String>) -> Vec<String> {
        let mut tasks: JoinSet<_> = calls
            .map(|call| {
                let switch = Arc::clone(&self.switch);
                async move { (switch.end(&call).await, call) }
            })
            .collect();
        let mut over = Vec::new();
        let all = async {
            while let Some(task) = tasks.join_next().await {
                match task {
                    Ok((Ok(()), call)) => {
                        tracing::warn!(call, "a call that was left behind is ended");
                        over.push(call);
                    }
                    Ok((Err(error), call)) => {
                        tracing::warn!(call, %error, "a call that was left behind goes on");
                    }
                    Err(_) => {}
                }
            }
        };
        // The rest is tried again.
        let _ = tokio::time::timeout(ENDING, all).await;
        over
    }
}

fn unknown(id: &str) -> (String, String) {
    (id.to_owned(), String::new())
}

fn told(call: LiveCall) -> (String, String) {
    let about = About {
        application: call.application,
        incoming: call.incoming,
        since: call.since,
        state: call.state,
        flow: call.flow,
        participants: call.participants,
    };
    (call.id, serde_json::to_string(&about).unwrap_or_default())
}

/// Calls of other instances, each with who has it. There are none while the database is away.
pub(crate) async fn others(store: &Store, own: &str) -> Vec<(String, LiveCall)> {
    let kept = store.kept_calls(None).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "calls of other instances are not known now");
        Vec::new()
    });
    let others = kept.into_iter().filter(|call| call.instance != own);
    let read = |call: switchboard_store::KeptCall| {
        // What an earlier life left behind says nothing.
        let about: About = serde_json::from_str(&call.about).ok()?;
        let live = LiveCall {
            id: call.id,
            application: about.application,
            incoming: about.incoming,
            since: about.since,
            state: about.state,
            flow: about.flow,
            participants: about.participants,
            peer: None,
        };
        Some((call.instance, live))
    };
    others.filter_map(read).collect()
}
