//! 10,000 reminders due in an hour, runners killed every few seconds, or the database gone for
//! a minute: everybody is called exactly as promised.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../../store/tests/postgres/mod.rs"]
#[allow(dead_code)]
mod postgres;
mod world;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan};
use switchboard_reminders::schedule::QuietHours;
use switchboard_reminders::{
    Key, Limits, Message, Outcome, Postponement, Reminder, ReminderId, Retry, Spec, Target, Terms,
};
use switchboard_service::{Clock, Runner, RunnerConfig};
use switchboard_store::{Query, Store, StoreConfig};
use uuid::Uuid;
use world::people::{Habit, Heard, World};
use world::time::{Recorded, Records, Timed, VirtualClock};

const SPACING: Duration = Duration::from_secs(300);
const PUT_OFF: Duration = Duration::from_secs(900);
const ATTEMPTS: u32 = 2;
/// Of all instances together: less than each would like.
const LIMITS: Limits = Limits {
    at_once: 150,
    per_second: 20,
};

/// 09:00 in Berlin; a quarter of the people is not to be called before half past.
fn start() -> Timestamp {
    "2027-01-15T08:00:00Z".parse().unwrap()
}

fn phone(number: usize) -> String {
    format!("+4930{number:06}")
}

fn is_quiet(number: usize) -> bool {
    number % 4 == 3
}

fn reminder(number: usize, of: usize) -> Reminder {
    let due = start() + (3_600_000 * number as i64 / of as i64).milliseconds();
    let quiet = QuietHours::new("21:00".parse().unwrap(), "09:30".parse().unwrap());
    let spec = Spec {
        target: Target::phone(&phone(number)).unwrap(),
        from: None,
        at: due,
        zone: "Europe/Berlin".to_owned(),
        quiet: quiet.filter(|_| is_quiet(number)),
        retry: Retry {
            attempts: ATTEMPTS,
            spacing: SPACING,
        },
        expires: due + 8.hours(),
        message: Message::Prompt("visit".to_owned()),
        variables: BTreeMap::new(),
        confirm: Key::new('1').unwrap(),
        postpone: Key::new('2').map(|key| Postponement { key, by: PUT_OFF }),
        reference: None,
    };
    Reminder::new(ReminderId(Uuid::from_u128(number as u128)), spec, start())
}

/// A xorshift: the same kills every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// What goes wrong.
#[derive(Clone, Copy)]
enum Trouble {
    /// A runner is killed every few seconds.
    Kills,
    /// The database is out of reach for a minute, twice: three leases long.
    Outages,
}

impl Trouble {
    fn is_away(self, now: Timestamp) -> bool {
        let minute = (now.as_second() - start().as_second()) / 60;
        matches!(self, Self::Outages) && [5, 20].contains(&minute)
    }
}

struct Instances {
    config: StoreConfig,
    clock: VirtualClock,
    world: World,
    records: Records,
    away: Arc<AtomicBool>,
    running: Vec<Option<(Runner, Store)>>,
}

impl Instances {
    async fn start(&mut self, which: usize) {
        let store = Store::open(&self.config).await.unwrap();
        let ledger = Timed {
            store: store.clone(),
            clock: self.clock.clone(),
            records: Arc::clone(&self.records),
            away: Arc::clone(&self.away),
        };
        let config = RunnerConfig {
            terms: Terms {
                lease: Duration::from_secs(20),
                call: Duration::from_secs(60),
            },
            limits: LIMITS,
            at_once: 60,
            look_every: Duration::from_secs(2),
            ..RunnerConfig::new(format!("instance-{which}"))
        };
        let world = Arc::new(self.world.clone());
        let clock = Arc::new(self.clock.clone());
        let runner = Runner::start(config, Arc::new(ledger), world, clock);
        self.running[which] = Some((runner, store));
    }

    /// As `kill -9` does it: wherever it is, in the midst of a transaction too.
    fn kill(&mut self, which: usize) {
        self.running[which] = None;
    }
}

struct Run {
    world: World,
    store: Store,
    records: Records,
    kills: u32,
    took: i64,
}

async fn run(database: StoreConfig, people: usize, instances: usize, trouble: Trouble) -> Run {
    let clock = VirtualClock::new(start());
    let world = World::new(clock.clone());
    let store = Store::open(&database).await.unwrap();
    let reminders: Vec<Reminder> = (0..people).map(|number| reminder(number, people)).collect();
    for some in reminders.chunks(1000) {
        store.insert(some, None, start()).await.unwrap();
    }
    let mut all = Instances {
        config: database,
        clock: clock.clone(),
        world: world.clone(),
        records: Records::default(),
        away: Arc::default(),
        running: (0..instances).map(|_| None).collect(),
    };
    for which in 0..instances {
        all.start(which).await;
    }
    let (mut chance, mut kills) = (Chance(42), 0);
    let mut kill_at = start() + 3.seconds();
    let mut restart: Option<(Timestamp, usize)> = None;
    let mut looked = start();
    while clock.step().await {
        let now = clock.now();
        if let Some((_, which)) = restart.filter(|(at, _)| now >= *at) {
            all.start(which).await;
            restart = None;
        }
        all.away.store(trouble.is_away(now), Ordering::SeqCst);
        let kills_now = matches!(trouble, Trouble::Kills) && now >= kill_at;
        if kills_now && restart.is_none() {
            let which = chance.below(instances as u64) as usize;
            all.kill(which);
            kills += 1;
            restart = Some((now + 1.seconds(), which));
            // Seldom enough that a call of 20 s may well go through: whose calls are all broken
            // off is given up at some time (MAX_INTERRUPTIONS), as promised.
            kill_at = now + (4000 + chance.below(8000) as i64).milliseconds();
        }
        if now >= looked + 1.minutes() {
            looked = now;
            let counts = store.counts().await.unwrap();
            if counts.waiting + counts.calling == 0 && world.live() == 0 {
                break;
            }
            assert!(now < start() + 12.hours(), "never done: {counts:?}");
        }
    }
    Run {
        took: clock.now().as_second() - start().as_second(),
        world,
        store,
        records: all.records,
        kills,
    }
}

async fn all_of(store: &Store) -> HashMap<ReminderId, Reminder> {
    let mut query = Query {
        limit: 500,
        ..Query::default()
    };
    let mut all = HashMap::new();
    loop {
        let page = store.list(&query).await.unwrap();
        all.extend(page.reminders.into_iter().map(|one| (one.id, one)));
        query.after = page.next;
        if page.next.is_none() {
            return all;
        }
    }
}

/// What was promised to one person, held against what they remember and what was
/// committed.
fn broken_promise(
    number: usize,
    reminder: &Reminder,
    calls: &[Heard],
    recorded: &Recorded,
) -> Option<&'static str> {
    let spec = &reminder.spec;
    let told = match Habit::of(number) {
        Habit::Ignores => Outcome::Unconfirmed,
        Habit::Away => Outcome::Unreached,
        Habit::Unknown => Outcome::Uncallable,
        _ => Outcome::Confirmed,
    };
    let began = |check: &dyn Fn(Timestamp) -> bool| calls.iter().any(|call| check(call.began));
    let confirmed = recorded.confirmed.first();
    let all_tried = matches!(told, Outcome::Unconfirmed | Outcome::Unreached);
    let spacing = SignedDuration::try_from(SPACING).unwrap();
    let too_soon = recorded
        .finished
        .iter()
        .any(|end| began(&|call| call > *end && call.duration_since(*end) < spacing));
    let broken = [
        ("another outcome", reminder.outcome() != Some(told)),
        ("called before the time", began(&|call| call < spec.at)),
        (
            "called in quiet hours",
            began(&|call| spec.allowed(call) != call),
        ),
        (
            "called after its expiry",
            began(&|call| call >= spec.expires),
        ),
        (
            "called after the confirmation",
            confirmed.is_some_and(|at| began(&|call| call > *at)),
        ),
        ("confirmed twice", recorded.confirmed.len() > 1),
        (
            "more attempts than asked for",
            all_tried && recorded.finished.len() > ATTEMPTS as usize,
        ),
        (
            "too few attempts",
            all_tried && reminder.attempts != ATTEMPTS,
        ),
        ("called again too soon", too_soon),
        (
            "a call goes on",
            calls.iter().any(|call| call.ended.is_none()),
        ),
    ];
    broken
        .iter()
        .find(|(_, broken)| *broken)
        .map(|(what, _)| *what)
}

async fn judge(name: &str, people: usize, instances: usize, run: Run) {
    let reminders = all_of(&run.store).await;
    assert_eq!(reminders.len(), people, "reminders were lost");
    let records = run.records.lock().unwrap().clone();
    let (mut table, mut broken) = (BTreeMap::<_, [usize; 4]>::new(), Vec::new());
    for number in 0..people {
        let reminder = &reminders[&ReminderId(Uuid::from_u128(number as u128))];
        let calls = run.world.calls_of(&phone(number));
        let recorded = records.get(&reminder.id).cloned().unwrap_or_default();
        let row = table
            .entry((Habit::of(number), reminder.outcome()))
            .or_default();
        row[0] += 1;
        row[1] += calls.len();
        row[2] += recorded.finished.len();
        row[3] = row[3].max(calls.len());
        if let Some(promise) = broken_promise(number, reminder, &calls, &recorded) {
            broken.push(format!("{}: {promise}", phone(number)));
        }
    }
    let mut told = format!(
        "\n{name}: {people} reminders in an hour, {instances} instances, {} kills in {} min\n\
         | person | outcome | people | calls | to their end | most calls to one |\n\
         |---|---|---:|---:|---:|---:|\n",
        run.kills,
        run.took / 60
    );
    for ((habit, outcome), [number, calls, whole, most]) in table {
        let outcome = outcome.map_or_else(|| "lost".to_owned(), |outcome| format!("{outcome:?}"));
        writeln!(
            told,
            "| {habit:?} | {outcome} | {number} | {calls} | {whole} | {most} |"
        )
        .unwrap();
    }
    writeln!(
        told,
        "two calls at once: {}; broken promises: {}; calls at once {} of {}",
        run.world.overlaps(),
        broken.len(),
        run.world.most(),
        LIMITS.at_once
    )
    .unwrap();
    // Not by `println`, which tests that pass keep to themselves.
    io::stdout().write_all(told.as_bytes()).unwrap();
    assert_eq!(run.world.overlaps(), 0, "two calls at once to one person");
    assert!(broken.is_empty(), "{:#?}", &broken[..broken.len().min(10)]);
    assert!(run.world.most() <= LIMITS.at_once as usize);
}

/// Memory instead of a disk, where there is such a place: fsync is not what is tested.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

#[tokio::test]
async fn ten_thousand_on_sqlite() {
    let directory = directory();
    let file = directory.path().join("reminders.db");
    let config = StoreConfig::new(format!("sqlite:{}", file.display()));
    let run = run(config, 10_000, 4, Trouble::Kills).await;
    judge("SQLite", 10_000, 4, run).await;
}

/// In time that is virtual. The calls of that minute go on, and nobody is called once more for
/// it than they would have been.
#[tokio::test]
async fn a_database_gone_for_a_minute_costs_nobody_a_call() {
    let directory = directory();
    let file = directory.path().join("reminders.db");
    let config = StoreConfig::new(format!("sqlite:{}", file.display()));
    let run = run(config, 2000, 4, Trouble::Outages).await;
    for number in 0..2000 {
        let promised = match Habit::of(number) {
            Habit::Confirms => 1,
            Habit::SecondTime | Habit::Later | Habit::Ignores | Habit::Away => 2,
            Habit::Unknown => 0,
        };
        let calls = run.world.calls_of(&phone(number));
        assert_eq!(calls.len(), promised, "{number}: {calls:?}");
    }
    let through = |call: &Heard| {
        let ended = call.ended.unwrap();
        !Trouble::Outages.is_away(call.began) && Trouble::Outages.is_away(ended)
    };
    let began_before =
        (0..2000).filter(|number| run.world.calls_of(&phone(*number)).iter().any(through));
    assert!(
        began_before.count() > 2,
        "nobody was in a call when it went away"
    );
    judge("SQLite, gone for a minute", 2000, 4, run).await;
}

#[tokio::test]
async fn a_thousand_on_postgres() {
    let Some(cluster) = postgres::Cluster::start() else {
        return;
    };
    let config = StoreConfig::new(cluster.database("reminders"));
    let run = run(config, 1000, 4, Trouble::Kills).await;
    judge("PostgreSQL", 1000, 4, run).await;
}
