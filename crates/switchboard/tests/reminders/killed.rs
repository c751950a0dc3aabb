//! A bot is killed in the midst of a reminder's call.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::postgres::Cluster;
use super::world::{Instance, World};

/// How long something may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two instances on one database, of which the first is told of calls; `None` without
/// PostgreSQL.
async fn two_on(database: &str) -> Option<(Cluster, World, Instance, Instance)> {
    let cluster = Cluster::start()?;
    let database = cluster.database(database);
    let world = World::start().await;
    let one = world.instance("one", &database);
    let two = world.instance("two", &database);
    world.faces(&one);
    Some((cluster, world, one, two))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_killed_in_a_call_calls_again_once_and_is_told() {
    let mut world = World::start().await;
    let one = world.instance("one", "sqlite:switchboard.db");
    world.faces(&one);
    let first = one.serve();
    let id = one.reminds().await;
    let path = format!("/reminders/{id}");
    world.patient.hears(".wav").await;
    one.until(&path, |now| now["state"] == "calling").await;

    drop(first);
    let second = one.serve();
    // The call that was left behind is ended before there is another.
    world.patient.is_hung_up_on().await;
    world.patient.hears(".wav").await;
    world.patient.press("1");
    one.confirmed(&id).await;
    world.patient.is_hung_up_on().await;
    drop(second);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_takes_over_what_a_killed_one_had() {
    let Some((_cluster, mut world, one, two)) = two_on("failover").await else {
        return;
    };
    let first = one.serve();
    let id = one.reminds().await;
    let path = format!("/reminders/{id}");
    world.patient.hears(".wav").await;
    one.until(&path, |now| now["state"] == "calling").await;
    // It looks for what is due from now on, and leaves alone what the first one has.
    let second = two.serve();
    assert_eq!(two.get(&path).await.unwrap()["state"], "calling");

    drop(first);
    world.faces(&two);
    // When the lease is over: the old call is ended, then there is another.
    world.patient.is_hung_up_on().await;
    world.patient.hears(".wav").await;
    world.patient.press("1");
    let done = two.confirmed(&id).await;
    // The call that broke off is not the person's fault.
    assert_eq!(done["attempts"], 0, "{done}");
    world.patient.is_hung_up_on().await;
    drop(second);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_call_is_ended_by_another_instance_when_its_own_is_killed() {
    let Some((_cluster, world, one, two)) = two_on("orphans").await else {
        return;
    };
    let (first, second) = (one.serve(), two.serve());
    let mut caller = world.caller().await;
    two.until("/calls", |seen| seen["calls"][0]["instance"] == "one")
        .await;
    drop(first);
    // Graph would keep it for 45 minutes.
    assert_eq!(world.calls(), 1);
    caller.is_hung_up_on().await;
    two.until("/calls", |seen| seen["calls"] == json!([])).await;
    drop(second);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_instance_ends_its_former_calls_when_it_is_back() {
    let world = World::start().await;
    let one = world.instance("one", "sqlite:switchboard.db");
    world.faces(&one);
    let first = one.serve();
    let mut caller = world.caller().await;
    let file = world.directory.path().join("switchboard.db");
    let kept = until_a_call_is_kept(&file);
    tokio::time::timeout(PATIENCE, kept).await.unwrap();
    drop(first);
    assert_eq!(world.calls(), 1);
    let second = one.serve();
    let ready = Instant::now();
    caller.is_hung_up_on().await;
    // Not by `println`, which tests that pass keep to themselves.
    writeln!(
        std::io::stdout(),
        "\nthe caller was hung up on {} ms after the bot was ready again",
        ready.elapsed().as_millis()
    )
    .unwrap();
    drop(second);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_seen_and_hung_up_at_any_instance() {
    let Some((_cluster, mut world, one, two)) = two_on("calls").await else {
        return;
    };
    let first = one.serve();
    one.reminds().await;
    world.patient.hears(".wav").await;
    let second = two.serve();
    let seen = two
        .until("/calls", |seen| seen["calls"][0]["state"] == "established")
        .await;
    let call = &seen["calls"][0];
    assert_eq!(call["instance"], "one", "{call}");
    // Whom it is with is told where it is.
    assert_eq!(call["user"], Value::Null, "{call}");
    let health = two.get("/health").await.unwrap();
    assert_eq!(health["instances"][0]["url"], one.api, "{health}");
    let told = one.get("/calls").await.unwrap();
    assert!(told["calls"][0]["user"].is_string(), "{told}");
    let path = format!("/calls/{}", call["id"].as_str().unwrap());
    assert_eq!(two.delete(&path).await.status(), 202);
    world.patient.is_hung_up_on().await;
    two.until("/calls", |seen| seen["calls"] == json!([])).await;
    drop((first, second));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_a_call_come_to_the_instance_that_has_it() {
    let Some((_cluster, world, one, two)) = two_on("callbacks").await else {
        return;
    };
    let (first, second) = (one.serve(), two.serve());
    let mut caller = world.caller().await;
    // New calls are told to the other one; this call's keys must not be, nobody has it there.
    world.faces(&two);
    caller.press("1*");
    caller.is_hung_up_on().await;
    drop((first, second));
    world.stop().await;
}

/// The instance tells nobody when it has entered a call, so the file is looked at.
async fn until_a_call_is_kept(file: &Path) {
    let address = format!("sqlite:{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.unwrap();
    loop {
        let kept = sqlx::query("SELECT id FROM calls").fetch_optional(&mut database);
        if kept.await.unwrap().is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
