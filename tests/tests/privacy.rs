//! Nothing heard is kept: a bot's memory, files, system calls and words, before and
//! after calls with known speech and keys.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use switchboard_tests::Failure;
use switchboard_tests::canaries::{ENTERING, KEYS, SPEAKING, WORDS, add_speech, understanding};
use switchboard_tests::cloud::Cloud;
use switchboard_tests::desk::Desk;
use switchboard_tests::leak::LeakingBot;
use switchboard_tests::memory::Needles;
use switchboard_tests::patience::{PATIENCE, eventually, within};
use switchboard_tests::service::{Around, Service};
use switchboard_tests::skip::skipped;
use switchboard_tests::stage::serve;
use switchboard_tests::trace;

/// A bot that keeps what it hears.
const LEAKING_BOT: &str = env!("CARGO_BIN_EXE_leaking-bot");
/// How long to wait for what it never lets go of.
const BRIEFLY: Duration = Duration::from_secs(5);
/// How often a memory is searched while a call lasts, at most.
const LOOKS: usize = 200;

fn flow() -> String {
    format!("start = \"ask\"\notherwise = \"bye\"\n{ENTERING}")
}

/// The caller says who they are, enters the number, and goes on speaking.
fn script(while_speaking: &str) -> String {
    format!(
        r##"
name = "A number"
limit = "5m"
[people.Carla]
steps = [
    {{ call = "bot" }},
    {{ reach = "established", within = "40s" }},
    {{ say = "read-en.wav", background = true }},
    {{ pause = "1s" }},
    {{ press = "{KEYS}#" }},
    {{ say = "recorded-en.wav", background = true }},
    {{ pause = "{while_speaking}" }},
    {{ press = "9" }},
    {{ reach = "ended", within = "40s" }},
]
"##
    )
}

/// The caller's packets, what they decode to at 16 kHz, and the keys.
fn needles() -> Result<Needles, Failure> {
    let mut needles = Needles::new();
    needles.add("keys", KEYS.as_bytes());
    // As event codes (RFC 4733 §3.2), one after the other.
    let codes: Vec<u8> = KEYS.bytes().map(|key| key - b'0').collect();
    needles.add("key codes", &codes);
    let names = ["speech/read-en.wav", "speech/recorded-en.wav"];
    add_speech(&mut needles, &names)?;
    Ok(needles)
}

/// A bot whose engine gets the caller's speech, and hears words in it.
async fn with_an_engine(site: &Cloud) -> Result<Service, Failure> {
    let around = Around {
        // Its memory couldn't be read otherwise.
        arguments: vec!["--no-sandbox".to_owned()],
        settings: format!("[engine]\nurl = \"{}\"\n", understanding().await?),
        ..Around::default()
    };
    Service::start(&site.emulator, &format!("{SPEAKING}{ENTERING}"), &around)
}

/// The positive control: while the call lasts, all of it is there at one time or another.
async fn while_it_lasts(needles: &Arc<Needles>, pid: u32) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    let wanted = ["keys", "audio", "16-bit audio", "packets", "words"];
    for _ in 0..LOOKS {
        seen.extend(find(needles, pid).await?.into_keys());
        if wanted.iter().all(|kind| seen.contains(kind)) {
            return Ok(());
        }
    }
    Err(format!("while the call lasted only {seen:?} were seen of {wanted:?}").into())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_call_stays_in_memory() -> Result<(), Failure> {
    let site = Cloud::start().await?;
    let mut service = with_an_engine(&site).await?;
    let mut needles = needles()?;
    // What the engine understood: the flow goes on by it, and keeps none of it.
    needles.add("words", WORDS.as_bytes());
    let (needles, pid) = (Arc::new(needles), service.pid());
    assert!(needles.count() > 1000, "{}", needles.count());
    let (said, spoken) = (
        r#"{ say = "read-en.wav", background = true }"#,
        r#"{ hear = "speech" }, { say = "read-en.wav" }"#,
    );
    let text = script("12s").replace(said, spoken);
    let (report, during) = tokio::join!(site.play(&text, "speech"), while_it_lasts(&needles, pid));
    let report = report?;
    assert!(report.passed, "{}", report.text());
    during?;
    is_gone(&needles, pid).await?;
    assert!(service.end()?, "the bot ended badly");
    site.emulator.stop().await;
    Ok(())
}

/// The keys, in a row and each as Graph tells it.
fn notified_needles() -> Needles {
    let mut needles = Needles::new();
    needles.add("keys", KEYS.as_bytes());
    for (number, key) in KEYS.chars().enumerate() {
        // The end of a toneInfo; with the last digit of its number it is as long as a needle.
        let told = format!(r#"{},"tone":"tone{key}""#, (number + 1) % 10);
        needles.add("notified keys", told.as_bytes());
    }
    needles
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_graph_tells_stay_nowhere() -> Result<(), Failure> {
    let site = Cloud::start().await?;
    let around = Around {
        arguments: vec!["--no-sandbox".to_owned()],
        ..Around::default()
    };
    let flow = format!("media = \"service\"\n{}", flow());
    let mut service = Service::start(&site.emulator, &flow, &around)?;
    let (needles, pid) = (Arc::new(notified_needles()), service.pid());
    assert_eq!(needles.count(), 1 + KEYS.len());
    let text = script("12s");
    let (report, during) = tokio::join!(
        site.play(&text, "speech"),
        // The control: they were told, and are known while they are needed. How they were told
        // is wiped by then.
        eventually("the caller's keys, but not as they were told", async || {
            let found = find(&needles, pid).await?;
            let wiped = found.contains_key("keys") && !found.contains_key("notified keys");
            Ok(wiped.then_some(found))
        })
    );
    let report = report?;
    assert!(report.passed, "{}", report.text());
    println!("while the call lasts: {:?}", during?);
    is_gone(&needles, pid).await?;
    assert!(service.end()?, "the bot ended badly");
    site.emulator.stop().await;
    Ok(())
}

/// A message is kept, heard again and handed over; the desk is told before and after that.
fn message(desk: SocketAddr) -> String {
    format!(
        r##"
start = "message"
otherwise = "bye"
[prompts.ask]
file = "bye.wav"
text = "Your message, please."
[prompts.bye]
file = "bye.wav"
text = "Goodbye."
[nodes.message]
say = "ask"
interruptible = false
record = {{ keep = true, seconds = 60, pause = 3, stop = "#", next = "kept", on_empty = "bye" }}
[nodes.kept]
webhook = {{ url = "http://{desk}/kept", timeout = 30, next = "hear", on_failed = "bye" }}
[nodes.hear]
play_back = {{ next = "deliver" }}
[nodes.deliver]
deliver = {{ url = "http://{desk}/message", timeout = 30, next = "delivered", on_failed = "bye" }}
[nodes.delivered]
webhook = {{ url = "http://{desk}/delivered", timeout = 30, next = "bye", on_failed = "bye" }}
[nodes.bye]
say = "bye"
hang_up = true
"##
    )
}

/// What the desk saw: how much of the caller's speech was in the bot's memory when the message
/// was kept and when it was delivered, and how many bytes the message had.
#[derive(Default)]
struct Seen {
    pid: AtomicU32,
    kept: AtomicUsize,
    delivered: AtomicUsize,
    message: AtomicUsize,
}

/// Where a message is delivered to, and whoever looks into the bot's memory while it waits.
async fn desk(seen: &Arc<Seen>, needles: &Arc<Needles>) -> Result<SocketAddr, Failure> {
    let look = |into: fn(&Seen) -> &AtomicUsize| {
        let (seen, needles) = (Arc::clone(seen), Arc::clone(needles));
        post(async move || {
            let found = find(&needles, seen.pid.load(Relaxed)).await;
            let found = found.expect("a memory that can be read");
            let audio = found.get("audio").copied().unwrap_or_default();
            into(&seen).store(audio, Relaxed);
            Json(json!({}))
        })
    };
    let taker = Arc::clone(seen);
    let take = post(async move |body: Bytes| {
        taker.message.store(body.len(), Relaxed);
        Json(json!({}))
    });
    let take = take.layer(DefaultBodyLimit::max(8 << 20));
    let routes = Router::new()
        .route("/kept", look(|seen| &seen.kept))
        .route("/delivered", look(|seen| &seen.delivered))
        .route("/message", take);
    serve(routes).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_gone_once_it_is_delivered() -> Result<(), Failure> {
    let site = Cloud::start().await?;
    let mut needles = Needles::new();
    add_speech(&mut needles, &["speech/read-en.wav"])?;
    let (seen, needles) = (Arc::<Seen>::default(), Arc::new(needles));
    let flow = message(desk(&seen, &needles).await?);
    let around = Around {
        arguments: vec!["--no-sandbox".to_owned()],
        ..Around::default()
    };
    let mut service = Service::start(&site.emulator, &flow, &around)?;
    seen.pid.store(service.pid(), Relaxed);
    let report = site.play(LEAVING, "speech").await?;
    assert!(report.passed, "{}", report.text());
    let counts = [&seen.kept, &seen.delivered, &seen.message];
    let [kept, delivered, message] = counts.map(|count| count.load(Relaxed));
    println!("speech in memory: {kept} pieces kept, {delivered} after the delivery");
    // The control: it was there, and whole. The call's own rings have the last moments of it.
    assert!(kept > 300 && message > 200_000, "{kept}, {message}");
    assert!(delivered * 10 < kept, "{delivered} of {kept} are left");
    is_gone(&needles, service.pid()).await?;
    assert!(service.end()?, "the bot ended badly");
    site.emulator.stop().await;
    Ok(())
}

/// Somebody leaves a message, and hears it.
const LEAVING: &str = r##"
name = "A message"
limit = "4m"
[people.Carla]
steps = [
    { call = "bot" },
    { reach = "established", within = "40s" },
    { hear = "silence", for = "2s", within = "30s" },
    { say = "read-en.wav" },
    { press = "#" },
    { hear = "speech", within = "60s" },
    { reach = "ended", within = "90s" },
]
"##;

async fn find(needles: &Arc<Needles>, pid: u32) -> Result<HashMap<&'static str, usize>, Failure> {
    let needles = Arc::clone(needles);
    tokio::task::spawn_blocking(move || needles.find(pid)).await?
}

/// Nothing is found any more. The worker lets go of a leg at its next tick; what stays longer
/// is there for good.
async fn is_gone(needles: &Arc<Needles>, pid: u32) -> Result<(), Failure> {
    is_gone_within(PATIENCE, needles, pid).await
}

async fn is_gone_within(
    patience: Duration,
    needles: &Arc<Needles>,
    pid: u32,
) -> Result<(), Failure> {
    let mut after = HashMap::new();
    let gone = within(patience, "a memory without the call", async || {
        after = find(needles, pid).await?;
        Ok(after.is_empty().then_some(()))
    });
    match gone.await {
        Ok(()) => Ok(()),
        Err(_) => Err(format!("after the call: {after:?}").into()),
    }
}

/// A call with a bot that leaks; what the searches find in its memory, in vain waiting for
/// nothing.
async fn leaked(flow: &str, script: &str, needles: Needles) -> Result<String, Failure> {
    let site = Cloud::start().await?;
    let bot = LeakingBot::start(LEAKING_BOT.as_ref(), &site.emulator, flow)?;
    let report = site.play(script, "speech").await?;
    assert!(report.passed, "{}", report.text());
    let gone = is_gone_within(BRIEFLY, &Arc::new(needles), bot.pid()).await;
    site.emulator.stop().await;
    Ok(gone.err().ok_or("nothing was found")?.to_string())
}

/// The searches above can fail: they find what an engine kept, and what was freed unwiped.
#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_leaks_is_found_out() -> Result<(), Failure> {
    let (own, hosted) = (flow(), format!("media = \"service\"\n{}", flow()));
    let script = script("1s");
    let (heard, told) = tokio::join!(
        leaked(&own, &script, needles()?),
        leaked(&hosted, &script, notified_needles())
    );
    let (heard, told) = (heard?, told?);
    println!("{heard}; {told}");
    assert!(heard.contains("16-bit audio"), "{heard}");
    assert!(told.contains("notified keys"), "{told}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_call_is_said_or_written() -> Result<(), Failure> {
    let site = Cloud::start().await?;
    let mut service = Service::start(&site.emulator, &flow(), &Around::default())?;
    let report = site.play(&script("1s"), "speech").await?;
    assert!(report.passed, "{}", report.text());
    assert!(service.end()?, "the bot ended badly");
    let said = service.said()?;
    // The control: it does speak, of this very call.
    assert!(said.contains("TRACE"), "no trace: {} bytes", said.len());
    for (what, needle) in [("keys", &KEYS[..6]), ("the secret", Desk::secret())] {
        assert!(!said.contains(needle), "{what} said");
    }
    assert!(!said.contains("eyJ"), "a token said");
    assert_eq!(service.left()?, Vec::<std::path::PathBuf>::new());
    site.emulator.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_takes_calls_inside_its_sandbox_and_dies_without_a_trace() -> Result<(), Failure> {
    let site = Cloud::start().await?;
    let mut service = Service::start(&site.emulator, &flow(), &Around::default())?;
    println!("layers in force: {}", service.sandbox);
    assert_eq!(service.sandbox["memory"], true);
    let ready = reqwest::get(service.webhook.join("/readyz")?).await?;
    assert!(ready.text().await?.contains("memory on"));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", service.pid()))?;
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap_or_default().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"]);
    if service.sandbox["calls"] == true {
        // It was there before the first of its threads.
        for thread in std::fs::read_dir(format!("/proc/{}/task", service.pid()))? {
            let status = std::fs::read_to_string(thread?.path().join("status"))?;
            assert!(status.contains("Seccomp:\t2"), "{status}");
        }
    }
    let report = site.play(&script("1s"), "speech").await?;
    assert!(report.passed, "{}", report.text());
    // In the middle of another call, as a fault would end it.
    let text = script("30s");
    let mut timeline = site.emulator.timeline().subscribe();
    let call = site.play(&text, "speech");
    let crash = async {
        while serde_json::to_value(timeline.recv().await?)?["state"] != "established" {}
        service.abort()
    };
    let (_, crashed) = tokio::join!(call, crash);
    crashed?;
    assert_eq!(service.left()?, Vec::<std::path::PathBuf>::new());
    site.emulator.stop().await;
    Ok(())
}

/// A bot on a kernel without Landlock: the tracer answers in its place.
fn without_landlock(arguments: &[&str]) -> Around {
    let inject = "inject=landlock_create_ruleset:error=ENOSYS";
    let trace = "trace=landlock_create_ruleset";
    let under = ["strace", "-f", "-qq", "-e", trace, "-e", inject, "-o"];
    Around {
        under: under
            .into_iter()
            .chain(["/dev/null", "--"])
            .map(str::to_owned)
            .collect(),
        arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
        ..Around::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_must_be_confined_refuses_to_run_with_less() -> Result<(), Failure> {
    if Command::new("strace").arg("-V").output().is_err() {
        skipped("strace is not installed");
        return Ok(());
    }
    let site = Cloud::start().await?;
    // The control: without the demand it runs, and says what is missing.
    let mut service = Service::start(&site.emulator, &flow(), &without_landlock(&[]))?;
    assert_eq!(service.sandbox["files"], false);
    let ready = reqwest::get(service.webhook.join("/readyz")?).await?;
    assert!(ready.text().await?.contains("files off"));
    assert!(service.end()?, "the bot ended badly");
    let demanding = without_landlock(&["--require-sandbox"]);
    let refused = Service::start(&site.emulator, &flow(), &demanding).err();
    let refused = refused.ok_or("it runs all the same")?.to_string();
    assert!(refused.contains("the sandbox isn't whole"), "{refused}");
    site.emulator.stop().await;
    Ok(())
}

/// System calls by which something could come to last.
const LASTING: &str = "open,openat,openat2,creat,memfd_create,mknodat,rename,renameat2,link,linkat,\
                       symlinkat,mkdirat,execve,execveat,io_uring_setup,truncate";

/// The lines of a trace that begin one of these calls, or that don't.
fn begun<'a>(trace: &'a str, calls: &[&str], are: bool) -> impl Iterator<Item = &'a str> {
    let is_one = move |line: &&str| trace::call(line).is_some_and(|call| calls.contains(&call));
    trace.lines().filter(move |line| is_one(line) == are)
}

/// A whole call of a bot with a state folder and a database in it, traced: what could last,
/// and all that is written or sent.
async fn traced(state: &Path) -> Result<String, Failure> {
    let site = Cloud::start().await?;
    let kept = tempfile::NamedTempFile::new()?;
    let path = kept.path().to_str().ok_or("a path that is no text")?;
    let calls = format!("trace={LASTING},{}", trace::SENDING.join(","));
    let whole = ["-x", "-v", "-s", "1048576", "--seccomp-bpf"];
    let under = ["strace", "-f", "-qq", "-e", &calls, "-o", path];
    let under = under.into_iter().chain(whole).chain(["--"]);
    let around = Around {
        under: under.map(str::to_owned).collect(),
        state: Some(state.into()),
        settings: format!(
            "[service]\ndatabase = \"sqlite:{}/switchboard.db\"\n",
            state.display()
        ),
        ..Around::default()
    };
    let mut service = Service::start(&site.emulator, &flow(), &around)?;
    let report = site.play(&script("1s"), "speech").await?;
    assert!(report.passed, "{}", report.text());
    service.end()?;
    site.emulator.stop().await;
    Ok(std::fs::read_to_string(path)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_elsewhere_is_opened_for_writing_and_nothing_heard_is_sent() -> Result<(), Failure>
{
    if Command::new("strace").arg("-V").output().is_err() {
        skipped("strace is not installed");
        return Ok(());
    }
    let state = tempfile::tempdir()?;
    let trace = traced(state.path()).await?;
    nothing_lasts(&trace, state.path());
    nothing_heard_leaves(&trace)
}

fn nothing_lasts(trace: &str, state: &Path) {
    let state = format!("\"{}/", state.display());
    // The control: its settings are read, its state is written.
    assert!(trace.contains("bot.toml"), "{trace}");
    let written = |line: &str| line.contains(&state) && line.contains("O_RDWR");
    assert!(trace.lines().any(written), "{trace}");
    let reads = |line: &&str| line.contains("O_RDONLY") || line.contains("resumed>");
    let harmless = |line: &&str| {
        ["\"/dev/null\"", "+++ ", "--- SIG", &state]
            .iter()
            .any(|sign| line.contains(sign))
    };
    let lasting = begun(trace, &trace::SENDING, false);
    let lasting = lasting.filter(|line| !reads(line) && !harmless(line));
    // The first is the program itself.
    let lasting: Vec<_> = lasting.filter(|line| !line.contains("execve(")).collect();
    assert!(lasting.is_empty(), "{lasting:#?}");
    let programs = begun(trace, &["execve"], true).count();
    assert_eq!(programs, 1, "another program was run");
}

/// What the caller said and pressed goes nowhere: there is no engine. The bot's own SRTP is
/// among what is searched.
fn nothing_heard_leaves(trace: &str) -> Result<(), Failure> {
    let needles = needles()?;
    let (mut found, mut packets, mut answers) = (HashMap::new(), 0, 0);
    for line in begun(trace, &trace::SENDING, true) {
        let bytes = trace::bytes(line)?;
        packets += usize::from(trace::call(line) == Some("sendmmsg"));
        answers += bytes
            .windows(12)
            .filter(|part| part == b"/answer HTTP")
            .count();
        for (what, times) in needles.find_in(&bytes) {
            *found.entry(what).or_insert(0) += times;
        }
    }
    // The control: what it sends is seen, to Graph and to the caller.
    assert!(
        packets > 20 && answers == 1,
        "{packets} packets, {answers} answers"
    );
    assert!(found.is_empty(), "written or sent: {found:?}");
    Ok(())
}
