//! Reminders: their settings, the store, the API and the runner around the bot.

mod calls;
mod settings;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use jiff::{Timestamp, ToSpan};
use secrecy::ExposeSecret;
use switchboard_bot::speech::Synthesizer;
use switchboard_service::api::{self, Parts};
use switchboard_service::{Runner, RunnerConfig, SystemClock};
use switchboard_store::{Store, StoreConfig};
use tokio::task::JoinHandle;

use crate::Failure;
use calls::BotCalls;
pub(super) use settings::ReminderSettings;

/// How often what is over for long is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Reminders, before there is a bot to call them.
pub(super) struct Reminders {
    store: Store,
    settings: ReminderSettings,
    calls: calls::Making,
    runner: RunnerConfig,
}

/// Reminders that are called.
pub(super) struct Running {
    runner: Runner,
    forgetting: JoinHandle<()>,
}

impl Reminders {
    /// Opens the database. `directory` is where files are that the settings name.
    pub(super) async fn open(
        settings: &ReminderSettings,
        directory: &Path,
        voice: Option<Arc<Synthesizer>>,
    ) -> Result<Self, Failure> {
        let database = settings.database.0.expose_secret();
        let store = Store::open(&StoreConfig::new(database)).await?;
        let runner = settings.runner();
        let left = store.abandon(&runner.owner, Timestamp::now()).await?;
        if left > 0 {
            tracing::warn!(calls = left, "calls were left behind; they are ended");
        }
        Ok(Self {
            runner,
            calls: calls::Making::new(settings, directory, voice),
            settings: settings.clone(),
            store,
        })
    }

    /// The API, to be served beside the webhook.
    pub(super) fn routes(&self) -> Result<Router, Failure> {
        let parts = Parts {
            store: self.store.clone(),
            keys: self.settings.keys()?,
            defaults: self.settings.defaults(self.calls.has_voice())?,
            clock: Arc::new(SystemClock),
        };
        Ok(api::router(parts))
    }

    /// Begins to call what is due.
    pub(super) fn run(self, dialer: switchboard_bot::Dialer) -> Running {
        let calls = BotCalls::new(dialer, self.calls);
        let ledger = Arc::new(self.store.clone());
        let runner = Runner::start(self.runner, ledger, Arc::new(calls), Arc::new(SystemClock));
        let days = self.settings.keep_days;
        Running {
            runner,
            forgetting: tokio::spawn(forget(self.store, days)),
        }
    }
}

impl Running {
    /// Calls nobody new, and returns when the calls that run are over.
    pub(super) async fn drain(self, within: Duration) {
        self.forgetting.abort();
        self.runner.drain(within).await;
    }
}

/// What is over is kept for some days, requests for one.
async fn forget(store: Store, days: u16) {
    let mut every = tokio::time::interval(FORGET_EVERY);
    loop {
        every.tick().await;
        let now = Timestamp::now();
        let before = |days: i64| {
            now.checked_sub((24 * days).hours())
                .unwrap_or(Timestamp::MIN)
        };
        match store.forget(before(i64::from(days)), before(1)).await {
            Ok(0) => {}
            Ok(reminders) => tracing::info!(reminders, "reminders of long ago were forgotten"),
            Err(error) => tracing::warn!(%error, "nothing can be forgotten now"),
        }
    }
}

#[cfg(test)]
mod tests;
