//! One suite for both databases.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod postgres;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use postgres::Cluster;
use switchboard_reminders::{
    Claim, Ending, Key, Limits, Message, Outcome, Refusal, Reminder, ReminderId, Retry, Spec,
    State, Target, Terms, Verdict,
};
use switchboard_store::{
    Claimed, Idempotency, Inserted, Instance, KeptRoom, Query, Report, Store, StoreConfig,
    StoreError,
};
use uuid::Uuid;

const TERMS: Terms = Terms {
    lease: Duration::from_secs(30),
    call: Duration::from_secs(120),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn reminder(number: u128, due: i64) -> Reminder {
    let spec = Spec {
        target: Target::phone(&format!("+4915{:09}", number)).unwrap(),
        from: None,
        at: at(due),
        zone: "Europe/Berlin".to_owned(),
        quiet: None,
        retry: Retry {
            attempts: 2,
            spacing: Duration::from_secs(600),
        },
        expires: at(due) + 4.hours(),
        message: Message::Text("Hello {name}".to_owned()),
        variables: BTreeMap::from([("name".to_owned(), "Zoë".to_owned())]),
        confirm: Key::new('1').unwrap(),
        postpone: None,
        reference: Some(format!("visit {}", number % 2)),
    };
    Reminder::new(ReminderId(Uuid::from_u128(number)), spec, at(-3600))
}

async fn fill(store: &Store, number: u128) -> Vec<Reminder> {
    let reminders: Vec<Reminder> = (1..=number).map(|n| reminder(n, n as i64)).collect();
    let inserted = store.insert(&reminders, None, at(-3600)).await.unwrap();
    assert_eq!(inserted, Inserted::New);
    reminders
}

async fn what_is_stored_comes_back(store: Store) {
    let reminders = fill(&store, 3).await;
    for reminder in &reminders {
        assert_eq!(&store.get(reminder.id).await.unwrap(), reminder);
    }
    let unknown = store.get(ReminderId(Uuid::from_u128(99))).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
    assert_eq!(store.next_wake().await.unwrap(), Some(at(1)));
    assert_eq!(store.counts().await.unwrap().waiting, 3);
}

async fn all_or_none(store: Store) {
    let twice = [reminder(1, 0), reminder(2, 0), reminder(1, 0)];
    assert!(store.insert(&twice, None, at(0)).await.is_err());
    assert_eq!(store.counts().await.unwrap().waiting, 0);
}

async fn pages_are_complete(store: Store) {
    let reminders = fill(&store, 25).await;
    let mut query = Query {
        limit: 10,
        ..Query::default()
    };
    let (mut seen, mut sizes) = (BTreeSet::new(), Vec::new());
    loop {
        let page = store.list(&query).await.unwrap();
        sizes.push(page.reminders.len());
        seen.extend(page.reminders.iter().map(|reminder| reminder.id));
        query.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), sizes), (reminders.len(), vec![10, 10, 5]));
    let odd = Query {
        reference: Some("visit 1".to_owned()),
        phase: Some("waiting".to_owned()),
        limit: 100,
        ..Query::default()
    };
    assert_eq!(store.list(&odd).await.unwrap().reminders.len(), 13);
    let confirmed = Query {
        outcome: Some(Outcome::Confirmed),
        ..odd
    };
    assert!(store.list(&confirmed).await.unwrap().reminders.is_empty());
}

async fn only_what_is_due_is_claimed_once(store: Store) {
    fill(&store, 5).await;
    let claimed = store
        .claim("a", at(3), TERMS, Limits::NONE, 10)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().all(|taken| taken.claim == Claim::Dial));
    assert!(
        store
            .claim("b", at(3), TERMS, Limits::NONE, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let limited = store
        .claim("b", at(10), TERMS, Limits::NONE, 1)
        .await
        .unwrap();
    assert_eq!(limited[0].reminder.id, ReminderId(Uuid::from_u128(4)));
}

async fn many_claim_at_once(store: Store) {
    fill(&store, 60).await;
    let runners = (0..6).map(|runner| {
        let store = store.clone();
        tokio::spawn(async move {
            let (mut taken, owner) = (Vec::new(), format!("runner {runner}"));
            for _ in 0..10 {
                let claimed = store
                    .claim(&owner, at(100), TERMS, Limits::NONE, 3)
                    .await
                    .unwrap();
                taken.extend(claimed.iter().map(|claimed| claimed.reminder.id));
            }
            taken
        })
    });
    let (mut all, mut each) = (0, BTreeSet::new());
    for runner in runners.collect::<Vec<_>>() {
        let taken = runner.await.unwrap();
        all += taken.len();
        each.extend(taken);
    }
    assert_eq!((all, each.len()), (60, 60));
}

/// What all instances may have together, whoever has it.
async fn limits_are_shared(store: Store) {
    const FIVE: Limits = Limits {
        at_once: 5,
        per_second: 3,
    };
    fill(&store, 20).await;
    let claim = async |owner, seconds| {
        let claimed = store.claim(owner, at(seconds), TERMS, FIVE, 10).await;
        claimed.unwrap()
    };
    let first = claim("a", 100).await;
    assert_eq!(first.len(), 3, "a second's");
    assert_eq!(claim("b", 100).await.len(), 0, "the second is used up");
    assert_eq!(claim("b", 101).await.len(), 2, "places are");
    assert_eq!(claim("a", 103).await.len(), 0);
    let (id, token) = (first[0].reminder.id, first[0].reminder.token);
    let ending = Report::Finished(Ending::NotAnswered);
    store
        .report(id, token, at(104), TERMS, ending)
        .await
        .unwrap();
    assert_eq!(claim("b", 104).await.len(), 1, "a place is free");
    // Whoever takes a dead instance's calls over needs no place for them.
    for taken in &first[1..] {
        let (id, token) = (taken.reminder.id, taken.reminder.token);
        let placed = Report::Placed("c");
        store
            .report(id, token, at(105), TERMS, placed)
            .await
            .unwrap();
    }
    let taken = claim("b", 140).await;
    let ends = |taken: &Claimed| matches!(taken.claim, Claim::End(_));
    assert!(taken.len() == 2 && taken.iter().all(ends), "{taken:?}");
}

async fn a_life_is_reported(store: Store) {
    let id = fill(&store, 1).await[0].id;
    let token = store
        .claim("a", at(1), TERMS, Limits::NONE, 1)
        .await
        .unwrap()[0]
        .reminder
        .token;
    let report = |report| store.report(id, token, at(2), TERMS, report);
    report(Report::Placed("call-1")).await.unwrap();
    report(Report::Alive).await.unwrap();
    report(Report::Decided(Verdict::Confirmed)).await.unwrap();
    assert_eq!(
        store.get(id).await.unwrap().verdict,
        Some(Verdict::Confirmed)
    );
    let over = report(Report::Finished(Ending::Answered)).await.unwrap();
    assert_eq!(over.outcome(), Some(Outcome::Confirmed));
    assert_eq!(store.get(id).await.unwrap(), over);
    let again = report(Report::Finished(Ending::NotAnswered)).await;
    assert!(matches!(again, Err(StoreError::Refused(Refusal::Over))));
    assert_eq!(store.next_wake().await.unwrap(), None);
}

async fn an_old_token_changes_nothing(store: Store) {
    let id = fill(&store, 1).await[0].id;
    let old = store
        .claim("a", at(1), TERMS, Limits::NONE, 1)
        .await
        .unwrap()[0]
        .reminder
        .token;
    let placed = Report::Placed("call-1");
    store.report(id, old, at(2), TERMS, placed).await.unwrap();
    let taken = store
        .claim("b", at(40), TERMS, Limits::NONE, 1)
        .await
        .unwrap();
    assert_eq!(taken[0].claim, Claim::End("call-1".to_owned()));
    let before = store.get(id).await.unwrap();
    for report in [
        Report::Alive,
        Report::Decided(Verdict::Confirmed),
        Report::Finished(Ending::Answered),
    ] {
        let refused = store.report(id, old, at(41), TERMS, report).await;
        assert!(matches!(
            refused,
            Err(StoreError::Refused(Refusal::LeaseLost))
        ));
    }
    assert_eq!(store.get(id).await.unwrap(), before);
}

async fn what_a_restarted_instance_had_is_given_up(store: Store) {
    let reminders = fill(&store, 3).await;
    let claimed = store
        .claim("a", at(2), TERMS, Limits::NONE, 9)
        .await
        .unwrap();
    let first = &claimed[0].reminder;
    store
        .report(
            first.id,
            first.token,
            at(3),
            TERMS,
            Report::Placed("call-1"),
        )
        .await
        .unwrap();
    store
        .claim("b", at(3), TERMS, Limits::NONE, 9)
        .await
        .unwrap();
    assert_eq!(store.abandon("a", at(4)).await.unwrap(), 2);
    // The one whose call isn't known is waited out.
    let taken = store
        .claim("a", at(4), TERMS, Limits::NONE, 9)
        .await
        .unwrap();
    let claims: Vec<&Claim> = taken.iter().map(|taken| &taken.claim).collect();
    assert_eq!(claims, [&Claim::End("call-1".to_owned())]);
    let other = store.get(reminders[2].id).await.unwrap();
    assert!(matches!(other.state, State::Dialing { .. }));
}

async fn cancelling_works(store: Store) {
    let reminders = fill(&store, 2).await;
    let gone = store.cancel(reminders[0].id, at(0)).await.unwrap();
    assert_eq!(gone.outcome(), Some(Outcome::Cancelled));
    let again = store.cancel(reminders[0].id, at(0)).await;
    assert!(matches!(again, Err(StoreError::Refused(Refusal::Over))));
    store
        .claim("a", at(2), TERMS, Limits::NONE, 9)
        .await
        .unwrap();
    let calling = store.cancel(reminders[1].id, at(3)).await.unwrap();
    assert!(matches!(calling.state, State::Dialing { .. }));
    assert_eq!(calling.verdict, Some(Verdict::Cancelled));
}

async fn a_request_sent_again_changes_nothing(store: Store) {
    let request = |fingerprint: &str| Idempotency {
        key: "me:1".to_owned(),
        fingerprint: fingerprint.to_owned(),
    };
    let (first, second) = ([reminder(1, 0)], [reminder(2, 0)]);
    let insert = |reminders, request| {
        let store = store.clone();
        async move { store.insert(reminders, Some(&request), at(0)).await }
    };
    assert_eq!(insert(&first, request("x")).await.unwrap(), Inserted::New);
    assert_eq!(
        insert(&second, request("x")).await.unwrap(),
        Inserted::Before(vec![first[0].id])
    );
    let other = insert(&second, request("y")).await;
    assert!(matches!(other, Err(StoreError::KeyReused)));
    let noted = store.noted(&request("x")).await.unwrap().unwrap();
    assert_eq!(noted.at, at(0));
    assert_eq!(noted.reminders().unwrap(), [first[0].id]);
    let other = store.noted(&request("y")).await;
    assert!(matches!(other, Err(StoreError::KeyReused)));
    assert_eq!(store.counts().await.unwrap().waiting, 1);
}

async fn a_request_that_made_nothing_may_come_anew(store: Store) {
    let request = Idempotency {
        key: "me:1".to_owned(),
        fingerprint: "x".to_owned(),
    };
    assert_eq!(store.noted(&request).await.unwrap(), None);
    assert_eq!(store.note(&request, "a room", at(0)).await.unwrap(), None);
    let before = store.note(&request, "another", at(1)).await.unwrap();
    let before = before.map(|before| (before.made, before.at));
    assert_eq!(before, Some(("a room".to_owned(), at(0))));
    store.forget_request(&request).await.unwrap();
    assert_eq!(store.note(&request, "another", at(2)).await.unwrap(), None);
}

async fn a_room_opens_once_at_each_time(store: Store) {
    let claims = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let instance = format!("instance {number}");
            store.claim_opening("standup", at(0), &instance).await
        })
    });
    let mut taken = 0;
    for claim in claims.collect::<Vec<_>>() {
        taken += u32::from(claim.await.unwrap().unwrap());
    }
    assert_eq!(taken, 1);
    assert!(store.claim_opening("standup", at(1), "a").await.unwrap());
    assert!(store.claim_opening("visit", at(0), "a").await.unwrap());
    // Forgotten when nobody makes up for it any more.
    store.forget(at(1), at(1)).await.unwrap();
    assert!(store.claim_opening("standup", at(0), "b").await.unwrap());
    assert!(!store.claim_opening("standup", at(1), "b").await.unwrap());
}

async fn the_same_request_twice_at_once_is_done_once(store: Store) {
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let request = Idempotency {
                    key: "me:1".to_owned(),
                    fingerprint: "x".to_owned(),
                };
                let reminders = [reminder(number, 0)];
                store
                    .insert(&reminders, Some(&request), at(0))
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.unwrap() == Inserted::New);
    }
    assert_eq!((new, store.counts().await.unwrap().waiting), (1, 1));
}

async fn what_is_over_is_forgotten(store: Store) {
    let reminders = fill(&store, 3).await;
    store.cancel(reminders[0].id, at(0)).await.unwrap();
    store.cancel(reminders[1].id, at(100)).await.unwrap();
    assert_eq!(store.forget(at(50), at(50)).await.unwrap(), 1);
    assert!(store.get(reminders[0].id).await.is_err());
    assert!(store.get(reminders[1].id).await.is_ok());
    assert!(store.get(reminders[2].id).await.is_ok());
}

async fn calls_are_kept_with_who_has_them(store: Store) {
    let about = |ids: &[&str]| -> BTreeMap<String, String> {
        let about = |id: &&str| ((*id).to_owned(), format!("about {id}"));
        ids.iter().map(about).collect()
    };
    let of = |name: &str, second| Instance {
        name: name.to_owned(),
        url: format!("https://{name}.example/api/v1"),
        seen: at(second),
    };
    let keep = async |name: &str, ids: &[&str], second| {
        let kept = store.keep_calls(&of(name, second), &about(ids)).await;
        kept.unwrap()
    };
    assert!(keep("a", &["1", "2"], 0).await.is_empty());
    keep("b", &["3"], 0).await;
    assert!(store.want_hung_up("2").await.unwrap());
    assert!(!store.want_hung_up("9").await.unwrap());
    assert_eq!(keep("a", &["1", "2", "4"], 1).await, ["2"]);
    assert!(keep("a", &["1", "4"], 2).await.is_empty());
    let mut all = store.kept_calls(None).await.unwrap();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    let all: Vec<_> = all
        .iter()
        .map(|call| (&*call.id, &*call.instance))
        .collect();
    assert_eq!(all, [("1", "a"), ("3", "b"), ("4", "a")]);
    assert_eq!(
        store.kept_calls(Some("b")).await.unwrap()[0].about,
        "about 3"
    );

    let mut instances = store.instances().await.unwrap();
    instances.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(instances, [of("a", 2), of("b", 0)]);
    // Neither one that has calls nor one that has spoken since is forgotten.
    store.forget_instance(&of("b", 0)).await.unwrap();
    store.forget_call("3").await.unwrap();
    store.forget_instance(&of("b", -1)).await.unwrap();
    assert_eq!(store.instances().await.unwrap().len(), 2);
    store.forget_instance(&of("b", 0)).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), [of("a", 2)]);
}

async fn rooms_are_kept_with_who_has_them_and_what_is_to_be_done(store: Store) {
    let about = |ids: &[&str]| -> BTreeMap<String, String> {
        let about = |id: &&str| ((*id).to_owned(), format!("about {id}"));
        ids.iter().map(about).collect()
    };
    let keep = async |name: &str, ids: &[&str]| {
        let rooms = about(ids);
        store.keep_rooms(name, || rooms).await.unwrap()
    };
    assert!(keep("a", &["1", "2"]).await.is_empty());
    keep("b", &["3"]).await;
    for (room, wish) in [("2", "mute"), ("3", "close"), ("2", "hold")] {
        assert!(store.want_in_room(room, wish).await.unwrap());
    }
    assert!(!store.want_in_room("9", "mute").await.unwrap());
    let wish = |room: &str, wish: &str| (room.to_owned(), wish.to_owned());
    let wishes = keep("a", &["1", "2"]).await;
    assert_eq!(wishes, [wish("2", "mute"), wish("2", "hold")]);
    assert!(keep("a", &["1", "2"]).await.is_empty(), "each is told once");

    // What was entered in the meantime stays, and what is over goes with its wishes.
    assert!(store.want_in_room("2", "mute").await.unwrap());
    let entered = KeptRoom {
        id: "4".to_owned(),
        instance: "a".to_owned(),
        about: "about 4".to_owned(),
    };
    store.enter_room(&entered).await.unwrap();
    assert!(keep("a", &["1", "4"]).await.is_empty());
    assert!(!store.want_in_room("2", "mute").await.unwrap());
    assert_eq!(store.kept_room("4").await.unwrap(), Some(entered));
    assert_eq!(store.kept_room("2").await.unwrap(), None);
    store.forget_rooms("a").await.unwrap();
    let left = store.kept_rooms().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((&*left[0].id, &*left[0].instance), ("3", "b"));
    assert_eq!(keep("b", &["3"]).await, [wish("3", "close")]);
}

/// Only a server can be gone.
async fn a_server_that_is_gone_for_a_while(cluster: &Cluster) {
    let mut config = StoreConfig::new(cluster.database("gone"));
    config.patience = Duration::from_millis(300);
    let store = Store::open(&config).await.unwrap();
    fill(&store, 1).await;
    cluster.crash();
    let refused = store
        .insert(&[reminder(2, 0)], None, at(0))
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(refused.is_temporary());
    cluster.serve();
    let inserted = store.insert(&[reminder(3, 0)], None, at(0)).await.unwrap();
    assert_eq!(
        (inserted, store.counts().await.unwrap().waiting),
        (Inserted::New, 2)
    );
}

/// Makes a test of each function of the suite, for each database.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let directory = tempfile::tempdir().unwrap();
                    let file = directory.path().join("re%minders? 1#.db");
                    let config = super::StoreConfig::new(format!("sqlite:{}", file.display()));
                    let store = super::Store::open(&config).await.unwrap();
                    super::$name(store.clone()).await;
                    assert!(file.is_file());
                    store.close().await;
                }
            )*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn all_of_it_on_postgres() {
            let Some(cluster) = Cluster::start() else { return };
            $({
                let address = cluster.database(stringify!($name));
                let store = Store::open(&StoreConfig::new(address)).await.unwrap();
                $name(store.clone()).await;
                store.close().await;
                println!("postgres: {} ok", stringify!($name));
            })*
            a_server_that_is_gone_for_a_while(&cluster).await;
        }
    };
}

suite!(
    what_is_stored_comes_back,
    all_or_none,
    pages_are_complete,
    only_what_is_due_is_claimed_once,
    many_claim_at_once,
    limits_are_shared,
    a_life_is_reported,
    an_old_token_changes_nothing,
    what_a_restarted_instance_had_is_given_up,
    cancelling_works,
    a_request_sent_again_changes_nothing,
    a_request_that_made_nothing_may_come_anew,
    a_room_opens_once_at_each_time,
    the_same_request_twice_at_once_is_done_once,
    what_is_over_is_forgotten,
    calls_are_kept_with_who_has_them,
    rooms_are_kept_with_who_has_them_and_what_is_to_be_done,
);
