//! A reminder that is due at once is called at once, not when a runner looks the next time.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../store/tests/postgres/mod.rs"]
mod postgres;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{Timestamp, ToSpan};
use switchboard_reminders::{Key, Message, Reminder, ReminderId, Retry, Spec, Target};
use switchboard_service::{
    DialError, Dialer, Order, Placed, Runner, RunnerConfig, SystemClock, listen,
};
use switchboard_store::{Store, StoreConfig};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

/// How long anything may take: patience, not a promise, but much less than a turn.
const PATIENCE: Duration = Duration::from_secs(60);
const TURN: Duration = Duration::from_secs(3600);

/// Tells which reminder it was to call, and never gets through.
struct Telling(mpsc::UnboundedSender<ReminderId>);

#[async_trait]
impl Dialer for Telling {
    async fn dial(&self, order: Order) -> Result<Placed, DialError> {
        self.0.send(order.reminder).unwrap();
        Err(DialError::Never("there is nobody".to_owned()))
    }

    async fn end(&self, _: &str) -> Result<(), DialError> {
        Ok(())
    }
}

/// An instance that calls, and looks for what is due once an hour.
struct Calling {
    asked: mpsc::UnboundedReceiver<ReminderId>,
    store: Store,
    listening: JoinHandle<()>,
    _runner: Runner,
}

impl Calling {
    async fn start(store: Store) -> Self {
        let (asks, asked) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(store.clone(), Arc::new(SystemClock)));
        let config = RunnerConfig {
            look_every: TURN,
            ..RunnerConfig::new("caller")
        };
        let ledger = Arc::new(store.clone());
        let runner = Runner::start(
            config,
            ledger,
            Arc::new(Telling(asks)),
            Arc::new(SystemClock),
        );
        let mut calling = Self {
            asked,
            store,
            listening,
            _runner: runner,
        };
        // Once this one is called it has begun to look, and looks no more by itself.
        calling.calls(&calling.store.clone(), 1).await;
        calling
    }

    /// What is made at `store`, perhaps another instance, is called here.
    async fn calls(&mut self, store: &Store, number: u128) {
        let made = due_now(number);
        store
            .insert(std::slice::from_ref(&made), None, Timestamp::now())
            .await
            .unwrap();
        self.is_to_call(made.id).await;
    }

    async fn is_to_call(&mut self, id: ReminderId) {
        let asked = timeout(PATIENCE, self.asked.recv()).await;
        assert_eq!(asked.unwrap().unwrap(), id);
    }

    async fn stop(self) {
        self.listening.abort();
        self.store.close().await;
    }
}

fn due_now(number: u128) -> Reminder {
    let now = Timestamp::now();
    let spec = Spec {
        target: Target::phone("+4915112345678").unwrap(),
        from: None,
        at: now,
        zone: "Europe/Berlin".to_owned(),
        quiet: None,
        retry: Retry {
            attempts: 1,
            spacing: TURN,
        },
        expires: now + 8.hours(),
        message: Message::Prompt("visit".to_owned()),
        variables: BTreeMap::new(),
        confirm: Key::new('1').unwrap(),
        postpone: None,
        reference: None,
    };
    Reminder::new(ReminderId(Uuid::from_u128(number)), spec, now)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_file_what_is_due_at_once_is_called_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reminders.db");
    let config = StoreConfig::new(format!("sqlite:{}", file.display()));
    let store = Store::open(&config).await.unwrap();
    let mut calling = Calling::start(store.clone()).await;
    calling.calls(&store, 2).await;
    calling.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_is_given_is_called_at_once() {
    let Some(cluster) = postgres::Cluster::start() else {
        return;
    };
    let config = StoreConfig::new(cluster.database("wakeup"));
    let taking = Store::open(&config).await.unwrap();
    let mut calling = Calling::start(Store::open(&config).await.unwrap()).await;
    calling.calls(&taking, 2).await;
    // It hears again when the database was away.
    cluster.crash();
    cluster.serve();
    calling.calls(&taking, 3).await;
    calling.calls(&taking, 4).await;
    calling.stop().await;
    taking.close().await;
}
