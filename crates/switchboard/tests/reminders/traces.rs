//! What a collector gets to know of a reminder.

use std::io::Read as _;
use std::process::Stdio;

use super::collector::{Collector, attributes};
use super::world::{Bot, Instance, PATIENT, World};

/// The patient is called and confirms; gives the reminder's id.
async fn is_called(world: &mut World, bot: &Instance) -> String {
    let id = bot.reminds().await;
    world.patient.hears(".wav").await;
    world.patient.press("1");
    bot.confirmed(&id).await;
    world.patient.is_hung_up_on().await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reminder_is_traced_without_whom_it_called_and_what_they_chose() {
    let collector = Collector::start().await;
    let mut world = World::start().await;
    let bot = world.instance("one", "sqlite:switchboard.db");
    world.faces(&bot);
    let mut command = bot.command();
    // A path of the collector's, as the variable may have.
    command.env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        format!("{}/", collector.address),
    );
    let serving = Bot::start(&mut command);
    let id = is_called(&mut world, &bot).await;
    serving.terminate();

    let traces = collector.traces();
    assert_eq!(traces.resource["service.instance.id"], "one");
    let reminder = traces.only("reminder");
    assert_eq!(attributes(reminder)["reminder.id"], id);
    assert_eq!(attributes(reminder)["reminder.ending"], "Answered");
    let call = traces.only("call");
    assert_eq!(call.parent_span_id, reminder.span_id);
    assert_eq!(attributes(call)["call.direction"], "outgoing");
    assert_eq!(attributes(call)["call.flow"], "reminder");
    let within = traces.within(call);
    assert!(
        within.iter().any(|done| done == "create call 201"),
        "{within:?}"
    );
    traces.have_nothing_of(&["nobody's", &world.key, PATIENT, "confirmed", "visit"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_holds_up_no_call() {
    let mut world = World::start().await;
    let bot = world.instance("one", "sqlite:switchboard.db");
    world.faces(&bot);
    let mut command = bot.command();
    // Nobody listens there.
    command.args(["--otlp", "http://127.0.0.1:9"]);
    command.env("OTEL_BSP_MAX_QUEUE_SIZE", "1");
    command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1");
    let mut serving = Bot::start(command.stderr(Stdio::piped()));
    let mut said = serving.0.stderr.take().unwrap();
    is_called(&mut world, &bot).await;
    serving.terminate();
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    // What was lost is counted: for want of a collector, and of room.
    assert!(text.contains("the collector did not take traces"), "{text}");
    assert!(text.contains("dropped_span_count"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    world.stop().await;
}
