//! The emulator's end, and its beginning anew.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use switchboard_signaling::clock;
use tokio::sync::mpsc;

use super::{Hub, Settings, record};
use crate::cloud::Ids;
use crate::faults::Faults;
use crate::graph::Limits;
use crate::journal::Journal;
use crate::judge::Judge;

/// What is under way at the end gets this long.
const GRACE: Duration = Duration::from_secs(2);

impl Hub {
    /// Ends all calls, waits a little for what that causes, and lets all tasks go.
    pub(crate) async fn stop(self: &Arc<Self>) {
        self.apply(|cloud, now| cloud.end_all("The emulator stops", now));
        self.all_finished(None).await;
        self.let_go();
    }

    /// Ends all calls, waits a little for what that causes, and begins anew, ids and all.
    /// Applications with their webhooks, phones and keys stay.
    pub(crate) async fn reset(self: &Arc<Self>) {
        self.forget().await;
        let seed = self.settings.seed;
        *self.ids.lock().unwrap_or_else(PoisonError::into_inner) = Ids::new(!seed);
        self.apply(|cloud, _| cloud.begin_ids(seed));
    }

    /// The same with ids that go on, so that no bot takes a new call for one that it had.
    pub(crate) async fn forget(self: &Arc<Self>) {
        self.apply(|cloud, now| cloud.end_all("The emulator is reset", now));
        self.all_finished(Some(mpsc::channel(1))).await;
        // New calls get the ids of former ones: nothing may be left that acts on those.
        self.given_up.notify_waiters();
        let Settings { seed, network, .. } = &self.settings;
        self.advanced.store(0, Ordering::Release);
        self.faults(|faults| *faults = Faults::new(*seed));
        self.limits(|limits| *limits = Limits::default());
        self.network(|own| own.clone_from(network));
        self.lock().clips = record::Clips::default();
        self.apply(|cloud, now| cloud.begin_anew(now, clock::wall().into()));
        self.journal(Journal::clear);
        self.judge(|judge| *judge = Judge::default());
    }

    /// Waits a little until all tasks at work have finished; those that come after them report
    /// by `next`.
    async fn all_finished(&self, next: Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>) {
        let (at_work, finished) = next.unzip();
        let finished = {
            let mut inner = self.lock();
            inner.at_work = at_work;
            std::mem::replace(&mut inner.finished, finished)
        };
        if let Some(mut finished) = finished {
            let _ = tokio::time::timeout(GRACE, finished.recv()).await;
        }
    }

    /// Tells every task to end; those who watch learn that nothing follows.
    pub(crate) fn let_go(&self) {
        self.stopping.send_replace(true);
        let mut inner = self.lock();
        inner.timeline = None;
        inner.phones.clear();
        inner.relays.clear();
        inner.notices.clear();
        inner.media.clear();
        inner.rooms.clear();
        inner.clips = record::Clips::default();
    }

    /// Waits until every task is to end.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error can't be: the sender is ours.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Waits until a reset waits no longer.
    pub(super) async fn given_up(&self) {
        self.given_up.notified().await;
    }
}
