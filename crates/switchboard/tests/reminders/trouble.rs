//! The database is locked, full or gone while a call goes on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use super::postgres::Cluster;
use super::postgres::skip::skipped;
use super::world::{Bot, Instance, World};

/// More than fits into what a full disk has left.
const MANY: usize = 20_000;

/// A call to the patient that goes on, and its reminder's id.
async fn in_a_call(world: &mut World, bot: &Instance) -> String {
    let id = bot.reminds().await;
    world.patient.hears(".wav").await;
    let path = format!("/reminders/{id}");
    bot.until(&path, |now| now["state"] == "calling").await;
    id
}

/// The person confirms, is thanked and hung up on by the bot, all without a database.
async fn goes_on(world: &mut World) {
    world.patient.press("1");
    world.patient.hears(".wav").await;
    world.patient.is_hung_up_on().await;
}

async fn is_refused(answer: reqwest::Response) {
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let told = answer.text().await.unwrap();
    assert!(told.contains("nothing was changed"), "{told}");
}

/// Nothing was half-written, what was said is stored, and new reminders are taken.
async fn recovers(world: &mut World, bot: &Instance, id: &str) {
    bot.confirmed(id).await;
    let all = bot.get("/reminders?limit=500").await.unwrap();
    let all: Vec<&Value> = all["reminders"].as_array().unwrap().iter().collect();
    assert_eq!(all.len(), 1, "a refused one was kept");
    let next = in_a_call(world, bot).await;
    goes_on(world).await;
    bot.confirmed(&next).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_holds_up_no_call_and_refuses_reminders() {
    let mut world = World::start().await;
    let bot = world.instance("one", "sqlite:switchboard.db");
    world.faces(&bot);
    let serving = bot.serve();
    let id = in_a_call(&mut world, &bot).await;
    let file = world.directory.path().join("switchboard.db");
    let mut other = SqliteConnection::connect(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    goes_on(&mut world).await;
    is_refused(bot.remind().await).await;
    other.execute("ROLLBACK").await.unwrap();
    recovers(&mut world, &bot, &id).await;
    drop(serving);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_holds_up_no_call_and_refuses_reminders() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let mut world = World::start().await;
    let bot = world.instance("one", &cluster.database("gone"));
    world.faces(&bot);
    let serving = bot.serve();
    let id = in_a_call(&mut world, &bot).await;
    cluster.crash();
    goes_on(&mut world).await;
    is_refused(bot.remind().await).await;
    let health = bot.get("/health").await.unwrap();
    assert_eq!(health["database"], "unavailable");
    cluster.serve();
    recovers(&mut world, &bot, &id).await;
    drop(serving);
    world.stop().await;
}

/// Runs what comes after `$1` with a small file system there, which it fills and empties
/// when it is told to.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=4m,mode=700 none "$1" || exit
disk=$1
shift
"$@" &
bot=$!
while read -r what; do
    case $what in
    fill) head -c 8m /dev/zero >"$disk/filler" 2>/dev/null ;;
    empty) rm "$disk/filler" ;;
    esac
    echo "$what"
done
kill -9 "$bot"
"#;

/// A bot whose database is on a disk of its own.
struct OnSmallDisk(Bot);

impl OnSmallDisk {
    /// `None`, with the reason printed, where one may not mount in a namespace of one's own.
    fn serve(instance: &Instance, disk: &str) -> Option<Self> {
        let may = Command::new("unshare").args(NAMESPACE).arg("true").status();
        if !may.is_ok_and(|may| may.success()) {
            skipped("unshare can't make a namespace to mount a small disk in");
            return None;
        }
        let arguments = [NAMESPACE, &["sh", "-c", SMALL_DISK, "sh", disk]].concat();
        Some(Self(instance.serve_by("unshare", &arguments)))
    }

    /// Has the disk filled or emptied, and waits until it is.
    fn told(&mut self, what: &str) {
        let child = &mut self.0.0;
        writeln!(child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut line = String::new();
        let output = child.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, output)
            .read_line(&mut line)
            .unwrap();
        assert_eq!(line.trim_end(), what);
    }
}

/// A user namespace whose root may mount; all in it ends with its first process.
const NAMESPACE: &[&str] = &[
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_holds_up_no_call_and_keeps_nothing_by_halves() {
    let mut world = World::start().await;
    let disk = world.directory.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let bot = world.instance("one", "sqlite:disk/switchboard.db");
    world.faces(&bot);
    let Some(mut serving) = OnSmallDisk::serve(&bot, disk.to_str().unwrap()) else {
        return;
    };
    let id = in_a_call(&mut world, &bot).await;
    serving.told("fill");
    goes_on(&mut world).await;
    is_refused(bot.import(MANY).await).await;
    serving.told("empty");
    recovers(&mut world, &bot, &id).await;
    drop(serving);
    world.stop().await;
}
