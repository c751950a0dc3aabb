//! Rooms that open by the clock, where several instances and their earlier lives could.

use serde_json::{Value, json};

use super::postgres::Cluster;
use super::world::{Instance, World};

/// A room that opened this minute; `name` begins the later, the later it is looked for.
fn opened_just_now(name: &str) -> String {
    let minute = jiff::Timestamp::now().strftime("%H:%M");
    format!(
        r#"
[flow.hours.{name}]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "{minute}"
to = "24:00"
zone = "UTC"
[flow.rooms.{name}]
start = "wait"
opens = "{name}"
meeting = {{ organizer = "d0c5b1a4-7e7c-4f0b-9a55-6f3f0a1e5c04", external_id = "{name}" }}
"#
    )
}

/// A room that stays.
const MEETING: &str = r#"
[flow.rooms.talk]
start = "wait"
meeting = { organizer = "d0c5b1a4-7e7c-4f0b-9a55-6f3f0a1e5c04", external_id = "talk" }
"#;

/// The rooms that an instance opened, once `last` is among them.
async fn rooms_until(instance: &Instance, last: &str) -> Vec<String> {
    let names = |seen: &Value| -> Vec<String> {
        let rooms = seen["rooms"].as_array().into_iter().flatten();
        let rooms = rooms.filter(|room| room["instance"] == instance.name());
        let name = |room: &Value| room["room"].as_str().unwrap().to_owned();
        rooms.map(name).collect()
    };
    let there = |seen: &Value| names(seen).iter().any(|name| name == last);
    names(&instance.until("/rooms", there).await)
}

/// Rooms are looked at by name: one with a later name has been after the others.
async fn open_once(world: World, one: Instance, two: Instance) {
    one.also(&opened_just_now("standup"));
    two.also(&opened_just_now("standup"));
    two.also(&opened_just_now("tea"));
    let first = one.serve();
    assert_eq!(rooms_until(&one, "standup").await, ["standup"]);
    // A little late, and made up for; what the first one opened is not opened again.
    let second = two.serve();
    assert_eq!(rooms_until(&two, "tea").await, ["tea"]);
    // Nor is it by a later life of the first one.
    drop(first);
    one.also(&opened_just_now("visit"));
    let first = one.serve();
    assert_eq!(rooms_until(&one, "visit").await, ["visit"]);
    drop((first, second));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_opened_by_one_of_several_instances_and_once() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("rooms");
    let world = World::start().await;
    let one = world.instance("one", &database);
    let two = world.instance("two", &database);
    open_once(world, one, two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_led_at_any_instance() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("led");
    let world = World::start().await;
    let (one, two) = (
        world.instance("one", &database),
        world.instance("two", &database),
    );
    for instance in [&one, &two] {
        instance.also(MEETING);
    }
    world.faces(&one);
    let bots = (one.serve(), two.serve());
    let opened = one.post("/rooms/talk", &json!({})).await;
    assert_eq!(opened.status(), 202);
    let opened: Value = opened.json().await.unwrap();
    let path = format!("/rooms/{}", opened["id"].as_str().unwrap());
    let seen = two.until(&path, |room| room["state"] == "open").await;
    assert_eq!(seen["instance"], "one");
    assert!(seen["joinUrl"].as_str().unwrap().starts_with("https://"));
    let muted = two
        .post(&format!("{path}/mute"), &json!({"who": ["eve"]}))
        .await;
    assert_eq!(muted.status(), 422);
    assert_eq!(two.delete(&path).await.status(), 202);
    one.until(&path, |room| room["state"] == "closed").await;
    two.until(&path, |room| room["state"] == "closed").await;
    drop(bots);
    world.stop().await;
}

/// A file is for one instance, but nothing keeps two from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_opens_no_room_anew_and_makes_up_for_one_that_was_missed() {
    let world = World::start().await;
    let one = world.instance("one", "sqlite:switchboard.db");
    let two = world.instance("two", "sqlite:switchboard.db");
    open_once(world, one, two).await;
}
