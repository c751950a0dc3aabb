//! The service around the bot: its database, the API and the page, who has the calls, and
//! the runner that calls reminders.

mod oidc;
mod openings;
mod settings;
mod switch;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use jiff::{Timestamp, ToSpan};
use secrecy::ExposeSecret;
use switchboard_bot::speech::Synthesizer;
use switchboard_bot::{Bot, Openings};
use switchboard_service::api::keys::{KeyConfig, KeyError};
use switchboard_service::api::{self, Access, Parts, Requests, RoomParts};
use switchboard_service::{Roll, Runner, SystemClock, listen, page};
use switchboard_store::{Store, StoreConfig};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use url::Url;

use super::reminders::{BotCalls, Making, ReminderSettings};
use super::rooms::BotRooms;
use crate::Failure;
use oidc::Provider;
use openings::Entered;
pub(super) use settings::ServiceSettings;
use switch::BotSwitch;

/// How often what is over for long is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// How long saying goodbye may take; the other instances find out without it.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the service needs to know of the bot it stands around.
pub(super) struct Around<'a> {
    /// The application's id.
    pub(super) application: String,
    /// Names under which the page is served besides the settings' own.
    pub(super) hosts: Vec<String>,
    /// What the kernel forbids, in words.
    pub(super) sandbox: String,
    /// Where files are that the settings name.
    pub(super) directory: &'a Path,
    /// Who speaks texts.
    pub(super) voice: Option<Arc<Synthesizer>>,
    /// The application instances to call numbers from.
    pub(super) numbers: Vec<String>,
}

/// The service, before there is a bot.
pub(super) struct Service {
    store: Store,
    settings: ServiceSettings,
    reminders: Option<Remind>,
    switch: Arc<BotSwitch>,
    sandbox: String,
    hosts: Vec<String>,
    provider: Option<Arc<Provider>>,
}

/// How reminders are called.
struct Remind {
    settings: ReminderSettings,
    making: Making,
}

/// A service that runs.
pub(super) struct Running {
    runner: Option<Runner>,
    /// They go on until it is dropped.
    _chores: JoinSet<()>,
    roll: JoinSet<()>,
    /// Ends the roll.
    end: oneshot::Sender<()>,
}

impl Service {
    /// Opens the database.
    pub(super) async fn open(
        settings: &ServiceSettings,
        reminders: Option<&ReminderSettings>,
        around: Around<'_>,
    ) -> Result<Self, Failure> {
        let database = settings.database.0.expose_secret();
        let store = Store::open(&StoreConfig::new(database)).await?;
        let left = store.abandon(settings.instance(), Timestamp::now()).await?;
        if left > 0 {
            tracing::warn!(calls = left, "calls were left behind; they are ended");
        }
        let mut hosts = settings.hosts.clone();
        hosts.extend(around.hosts);
        Ok(Self {
            reminders: reminders.map(|settings| Remind {
                settings: settings.clone(),
                making: Making::new(settings, around.directory, around.voice, around.numbers),
            }),
            switch: Arc::new(BotSwitch {
                application: around.application,
                dialer: OnceLock::new(),
                figures: OnceLock::new(),
            }),
            provider: settings.provider()?.map(Arc::new),
            settings: settings.clone(),
            sandbox: around.sandbox,
            store,
            hosts,
        })
    }

    /// The API and the page, to be served beside the webhook. Who has a key of `room_keys` may
    /// use what is there for rooms, alone.
    pub(super) fn routes(
        &self,
        rooms: Arc<BotRooms>,
        room_keys: &[KeyConfig],
    ) -> Result<Router, Failure> {
        let defaults = self.reminders.as_ref().map(|remind| {
            let texts = remind.making.has_voice();
            remind.settings.defaults(texts, remind.making.numbers())
        });
        let parts = Parts {
            store: self.store.clone(),
            access: self.access(&[])?,
            defaults: defaults.transpose()?,
            clock: Arc::new(SystemClock),
            switch: Arc::clone(&self.switch) as Arc<_>,
            instance: self.settings.instance().to_owned(),
            sandbox: self.sandbox.clone(),
        };
        let rooms = RoomParts {
            access: self.access(room_keys)?,
            rooms,
            requests: Requests::Stored(self.store.clone()),
            instance: self.settings.instance().to_owned(),
            clock: Arc::new(SystemClock),
        };
        Ok(api::router(parts, rooms).merge(page::router(self.hosts.clone())))
    }

    /// Who may ask: whoever the settings name, and whoever has a key of `more`.
    fn access(&self, more: &[KeyConfig]) -> Result<Arc<Access>, KeyError> {
        Ok(Arc::new(Access {
            keys: self.settings.keys(more)?,
            tokens: self.provider.clone().map(|provider| provider as Arc<_>),
        }))
    }

    /// Who opens rooms by the clock.
    pub(super) fn openings(&self) -> Arc<dyn Openings> {
        Arc::new(Entered {
            store: self.store.clone(),
            instance: self.settings.instance().to_owned(),
        })
    }

    /// Looks after the bot's calls, and begins to call what is due.
    pub(super) fn run(self, bot: &Bot, rooms: Arc<BotRooms>) -> Running {
        let dialer = bot.dialer();
        // They are empty until now.
        let _ = self.switch.dialer.set(dialer.clone());
        let _ = self.switch.figures.set(bot.figures());
        let days = self.settings.keep_days;
        let store = self.store.clone();
        let (end, ended) = oneshot::channel();
        let mut roll = JoinSet::new();
        let kept = self.roll(&bot.webhook_url()).with_rooms(rooms);
        roll.spawn(kept.keep(async move { _ = ended.await }));
        let runner = self.reminders.map(|remind| {
            let config = remind.settings.runner(self.settings.instance());
            let calls = BotCalls::new(dialer.clone(), remind.making);
            let ledger = Arc::new(store);
            Runner::start(config, ledger, Arc::new(calls), Arc::new(SystemClock))
        });
        let mut chores = JoinSet::new();
        chores.spawn(listen(self.store.clone(), Arc::new(SystemClock)));
        chores.spawn(forget(self.store, days));
        if let Some(provider) = self.provider {
            chores.spawn(async move { provider.keep_keys_fresh().await });
        }
        Running {
            runner,
            _chores: chores,
            roll,
            end,
        }
    }

    /// This instance's part in the roll of calls. Its API is where the webhook is.
    fn roll(&self, webhook: &Url) -> Roll {
        Roll::new(
            self.store.clone(),
            Arc::clone(&self.switch) as Arc<_>,
            Arc::new(SystemClock),
            self.settings.instance(),
            webhook.join("v1").map(String::from).unwrap_or_default(),
        )
    }
}

impl Running {
    /// Calls nobody new, and returns when the calls that run are over.
    pub(super) async fn drain(&mut self, within: Duration) {
        if let Some(runner) = self.runner.take() {
            runner.drain(within).await;
        }
    }

    /// Tells the other instances that this one ends.
    pub(super) async fn leave(mut self) {
        // It may have ended by itself only by a panic, which was reported.
        let _ = self.end.send(());
        if tokio::time::timeout(GOODBYE, self.roll.join_next())
            .await
            .is_err()
        {
            tracing::warn!("the other instances find out by themselves that this one ended");
        }
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
