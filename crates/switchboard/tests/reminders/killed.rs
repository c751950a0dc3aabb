//! A bot is killed in the midst of a reminder's call.

use super::postgres::Cluster;
use super::world::World;

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
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("failover");
    let mut world = World::start().await;
    let one = world.instance("one", &database);
    world.faces(&one);
    let two = world.instance("two", &database);
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
