//! Whole calls through flows, against the emulator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard_bot::flow::{Farewell, Flow};
use switchboard_bot::{Parts, Script};
use switchboard_emulator::{IncomingReason, PhoneRole};
use switchboard_media::wav;
use switchboard_transport::TransportConfig;

use crate::person::{Noticed, Person};
use crate::site::Site;

mod agent;
mod azure;
mod bad_engine;
mod engine;
mod program;
#[path = "../../../../tests/src/skip.rs"]
#[allow(unreachable_pub)]
mod skip;
mod speech;
mod wishes;

/// How much of the prompt `long` can be heard for certain, in frames of 20 ms.
const LONG_FRAMES: usize = 150;

/// A recording for each prompt: a hum of a third of a second; of `long`, one of four seconds.
fn recordings(names: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let hum: Vec<f32> = (0..64_000).map(|n| 0.2 * (n as f32 / 12.0).sin()).collect();
    for name in names {
        let path = directory.path().join(format!("{name}.wav"));
        let length = if *name == "long" { hum.len() } else { 5_300 };
        std::fs::write(path, wav::write(16_000, &hum[..length])).expect("a file");
    }
    directory
}

/// A flow whose prompts are hums.
async fn script(text: &str) -> Script {
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# prompts: "))
        .flat_map(|names| names.split(' '))
        .collect();
    let mut whole = text.to_owned();
    for name in &names {
        whole += &format!("[prompts.{name}]\nfile = \"{name}.wav\"\n");
    }
    let flow = Flow::parse(&whole).unwrap_or_else(|problems| panic!("{problems}"));
    let directory = recordings(&names);
    let loaded = Script::load(Arc::new(flow), directory.path(), None).await;
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

async fn site(flow: &str) -> Site {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let parts = Parts::new(script(flow).await);
    let site = Site::with(any, parts, TransportConfig::default()).await;
    site.expect("the site starts")
}

const MENU: &str = r##"# prompts: menu sorry one pin wrong thanks bye
start = "menu"
otherwise = "bye"
MEDIA
[nodes.menu]
say = "menu"
listen = { keys = { 1 = "one", 2 = "pin" }, timeout = 0.6, retries = 1, sorry = "sorry" }
[nodes.one]
say = "one"
next = "menu"
[nodes.pin]
say = "pin"
collect = { into = "pin", min = 4, max = 6, terminator = "#", secret = true, sorry = "wrong", next = "thanks", timeout = 5 }
[nodes.thanks]
say = "thanks"
hang_up = true
[nodes.bye]
say = "bye"
interruptible = false
hang_up = true
"##;

fn menu(media: &str) -> String {
    MENU.replace("MEDIA", media)
}

async fn wrong_keys_are_apologised_for_and_silence_ends_the_call(media: &str) {
    let site = site(&menu(media)).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("menu").await;
    caller.press("9");
    caller.hears("sorry").await;
    let end = caller.is_hung_up_on().await;
    assert_eq!(end.code, 0, "{end:?}");
    assert_eq!(caller.heard(), ["menu", "sorry", "menu", "bye"]);
    site.stop().await;
}

async fn keys_interrupt_and_a_pin_is_collected(media: &str) {
    let site = site(&menu(media)).await;
    let mut caller = Person::calling(&site).await;
    caller.begins_to_hear("menu").await;
    caller.press("1");
    caller.hears("one").await;
    caller.begins_to_hear("menu").await;
    caller.press("2");
    caller.hears("pin").await;
    caller.press("12#");
    caller.hears("wrong").await;
    caller.hears("pin").await;
    caller.press("4711#");
    caller.hears("thanks").await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ivr_with_media_of_our_own() {
    wrong_keys_are_apologised_for_and_silence_ends_the_call("").await;
    keys_interrupt_and_a_pin_is_collected("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_ivr_with_media_in_graphs_hands() {
    let media = "media = \"service\"";
    wrong_keys_are_apologised_for_and_silence_ends_the_call(media).await;
    keys_interrupt_and_a_pin_is_collected(media).await;
}

/// A flow that says one thing and waits.
fn says(prompt: &str) -> String {
    format!(
        "# prompts: {prompt}\nstart = \"a\"\notherwise = \"end\"\n[nodes.a]\nsay = \"{prompt}\"\n\
         listen = {{ keys = {{ 1 = \"a\", 2 = \"end\" }}, timeout = 30 }}\n[nodes.end]\nhang_up = true\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reloaded_flow_is_for_new_calls_only() {
    let site = site(&says("old")).await;
    let mut first = Person::calling(&site).await;
    first.hears("old").await;
    site.bot.reload(script(&says("new")).await);
    let mut second = Person::calling(&site).await;
    second.hears("new").await;
    first.press("1");
    first.hears("old").await;
    for caller in [&mut first, &mut second] {
        caller.press("2");
        caller.is_hung_up_on().await;
    }
    assert_eq!(
        (first.heard(), second.heard()),
        (vec!["old", "old"], vec!["new"])
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_bot_turns_new_callers_away_and_lets_others_finish() {
    let Site {
        emulator,
        transport,
        bot,
    } = site(&says("hello")).await;
    let site = Waiting {
        emulator,
        transport,
    };
    let mut early = site.person().await;
    early.hears("hello").await;
    let ready = bot.webhook_url().join("/readyz").expect("a URL");
    assert_eq!(status(&ready).await, 200);
    let drained = tokio::spawn(bot.drain(Duration::from_secs(30)));
    while status(&ready).await != 503 {
        tokio::task::yield_now().await;
    }
    let mut late = site.person().await;
    let turned_away = late.is_hung_up_on().await;
    assert_eq!(turned_away.code, 486, "{turned_away:?}");
    early.press("1");
    early.hears("hello").await;
    assert!(!drained.is_finished());
    early.press("2");
    early.is_hung_up_on().await;
    drained.await.expect("the bot ends when its calls have");
    site.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_go_on_are_ended_at_the_deadline() {
    let Site {
        emulator,
        transport,
        bot,
    } = site(&says("hello")).await;
    let site = Waiting {
        emulator,
        transport,
    };
    let mut caller = site.person().await;
    caller.hears("hello").await;
    bot.drain(Duration::from_millis(10)).await;
    caller.is_hung_up_on().await;
    site.emulator.stop().await;
}

/// A site whose bot is elsewhere.
struct Waiting {
    emulator: switchboard_emulator::Emulator,
    transport: switchboard_transport::Transport,
}

impl Waiting {
    async fn person(&self) -> Person {
        Person::calling_at(&self.emulator, &self.transport).await
    }
}

async fn status(url: &url::Url) -> u16 {
    let answer = reqwest::get(url.clone()).await.expect("an answer");
    answer.status().as_u16()
}

#[test]
fn settings_can_have_their_flow_inside() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bot.toml");
    let inside = "[graph]\ntenant = \"t\"\n[flow]\nstart = \"a\"\notherwise = \"a\"\n[flow.nodes.a]\nhang_up = true\n";
    let read = |text: &str| {
        std::fs::write(&path, text).expect("a file");
        super::FlowFile::read(Path::new(&path))
    };
    assert!(read(inside).is_ok());
    let wrong = read(&inside.replace("hang_up", "hangup"))
        .err()
        .expect("it is wrong");
    let told = wrong.to_string();
    assert!(
        told.contains("bot.toml:7:1: unknown field `hangup`"),
        "{told}"
    );
}

const AGENT: &str = r##"# prompts: hello connect nobody bye
start = "FIRST"
otherwise = "bye"
[contacts.agent]
user = "agent"
[nodes.hello]
say = "hello"
listen = { keys = { 0 = "agent" }, timeout = 20 }
[nodes.agent]
say = "connect"
interruptible = false
transfer = { to = "agent", on_failed = "nobody" }
[nodes.nobody]
say = "nobody"
next = "hello"
[nodes.bye]
say = "bye"
hang_up = true
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_announced_and_a_failed_one_comes_back() {
    let site = site(&AGENT.replace("FIRST", "hello")).await;
    let mut agent = Person::at(&site, "agent", PhoneRole::Agent).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("hello").await;
    caller.press("0");
    caller.hears("connect").await;
    let transfer = Noticed::Rings(IncomingReason::Transfer);
    agent.until(|noticed| *noticed == transfer).await;
    agent.decline().await;
    agent.is_hung_up_on().await;
    caller.hears("nobody").await;
    caller.hears("hello").await;
    caller.press("0");
    agent.until(|noticed| *noticed == transfer).await;
    agent.accept().await;
    let connected = |noticed: &Noticed| *noticed == Noticed::Connected;
    tokio::join!(agent.until(connected), caller.until(connected));
    agent.hang_up().await;
    caller.is_hung_up_on().await;
    site.stop().await;
}

async fn passes_on(accepts: bool) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let parts = Parts::new(script(&AGENT.replace("FIRST", "hello")).await);
    let farewell = Farewell {
        transfer_to: "agent".to_owned(),
        say: Some("bye".to_owned()),
    };
    let site = Site::leaving(any, parts, TransportConfig::default(), Some(farewell)).await;
    let site = site.expect("the site starts");
    let mut agent = Person::at(&site, "agent", PhoneRole::Agent).await;
    let mut caller = Person::calling(&site).await;
    caller.begins_to_hear("hello").await;
    let drained = tokio::spawn(site.bot.drain(Duration::from_millis(10)));
    caller.hears("bye").await;
    let transfer = Noticed::Rings(IncomingReason::Transfer);
    agent.until(|noticed| *noticed == transfer).await;
    if accepts {
        agent.accept().await;
        let connected = |noticed: &Noticed| *noticed == Noticed::Connected;
        tokio::join!(agent.until(connected), caller.until(connected));
        drained.await.expect("the bot ends before they do");
        agent.hang_up().await;
    } else {
        agent.decline().await;
    }
    caller.is_hung_up_on().await;
    assert_eq!(caller.heard(), ["hello", "bye"]);
    site.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_and_passed_on_at_the_deadline_or_hung_up_on() {
    tokio::join!(passes_on(true), passes_on(false));
}

/// A front desk that decides before it answers.
fn screening(case: &str) -> String {
    let desk = AGENT.replace("FIRST", "screen");
    format!(
        "{desk}[nodes.screen]\nbranch = [{{ {case}, goto = \"away\" }}, {{ goto = \"on\" }}, ]\n\
         [nodes.away]\nreject = \"forbidden\"\n[nodes.on]\nbranch = [{{ language = \"en\", goto = \"agent-desk\" }}, {{ goto = \"hello\" }}]\n\
         [nodes.agent-desk]\nredirect = \"agent\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_refused_or_passed_on_before_anybody_answers() {
    let refusing = site(&screening("language = \"en-US\"")).await;
    let mut caller = Person::calling(&refusing).await;
    let end = caller.is_hung_up_on().await;
    assert_eq!(end.code, 403, "{end:?}");
    assert!(caller.heard().is_empty());
    refusing.stop().await;
    let passing = site(&screening("number = \"+1900*\"")).await;
    let mut agent = Person::at(&passing, "agent", PhoneRole::Agent).await;
    let mut caller = Person::calling(&passing).await;
    let redirect = Noticed::Rings(IncomingReason::Redirect);
    agent.until(|noticed| *noticed == redirect).await;
    agent.accept().await;
    caller.until(|noticed| *noticed == Noticed::Connected).await;
    assert!(caller.heard().is_empty());
    caller.hang_up().await;
    passing.stop().await;
}

/// A service that answers with the pin it was sent, and a redirection first.
async fn service() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let ask = |body: axum::Json<serde_json::Value>| async move {
        let pin = body["values"]["pin"].as_str().unwrap_or_default();
        let result = if pin == "4711" { "right" } else { "wrong" };
        axum::Json(serde_json::json!({ "result": result }))
    };
    let moved = || async { (axum::http::StatusCode::FOUND, [("location", "/ask")]) };
    let router = axum::Router::new()
        .route("/ask", axum::routing::post(ask))
        .route("/moved", axum::routing::post(moved));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move { axum::serve(listener, router).await.expect("it runs") });
    (address, served)
}

const BANK: &str = r##"# prompts: pin wrong right broken
start = "pin"
otherwise = "broken"
[nodes.pin]
say = "pin"
collect = { into = "pin", max = 4, secret = true, next = "ask", timeout = 20 }
[nodes.ask]
webhook = { url = "http://ADDRESS/ask", results = { right = "right", wrong = "wrong" }, on_failed = "broken" }
[nodes.wrong]
say = "wrong"
next = "pin"
[nodes.right]
say = "right"
next = "moved"
[nodes.moved]
webhook = { url = "http://ADDRESS/moved", on_failed = "broken", next = "pin" }
[nodes.broken]
say = "broken"
hang_up = true
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_web_hook_decides_and_is_not_followed_elsewhere() {
    let (address, served) = service().await;
    let site = site(&BANK.replace("ADDRESS", &address.to_string())).await;
    let mut caller = Person::calling(&site).await;
    caller.hears("pin").await;
    caller.press("1234");
    caller.hears("wrong").await;
    caller.hears("pin").await;
    caller.press("4711");
    caller.hears("right").await;
    caller.hears("broken").await;
    caller.is_hung_up_on().await;
    site.stop().await;
    served.abort();
}
