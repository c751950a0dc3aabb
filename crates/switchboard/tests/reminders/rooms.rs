//! Rooms that open by the clock, where several instances and their earlier lives could.

use serde_json::Value;

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

/// The rooms that an instance opened, once `last` is among them.
async fn rooms_until(instance: &Instance, last: &str) -> Vec<String> {
    let names = |seen: &Value| -> Vec<String> {
        let rooms = seen["rooms"].as_array().into_iter().flatten();
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

/// A file is for one instance, but nothing keeps two from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_opens_no_room_anew_and_makes_up_for_one_that_was_missed() {
    let world = World::start().await;
    let one = world.instance("one", "sqlite:switchboard.db");
    let two = world.instance("two", "sqlite:switchboard.db");
    open_once(world, one, two).await;
}
