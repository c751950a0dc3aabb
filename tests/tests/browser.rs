//! The demo in a real browser: a person's call, from the page to the bot and back.
//!
//! Chromium's microphone is a recording of someone reading; the digits are the
//! browser's own (`RTCDTMFSender`).

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_tests::browser::{Browser, skipped};
use switchboard_tests::cloud::Cloud;
use switchboard_tests::demo::Demo;
use switchboard_tests::desk::Desk;
use switchboard_tests::patience::eventually;
use switchboard_tests::service::{Around, Service};
use switchboard_tests::softphone::Softphone;
use switchboard_tests::{Failure, fixture, skip};
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

/// Browsers are heavy; on a small machine several at once only slow each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// A demo or an emulator with a bot, a browser, and the page in its first tab.
struct Stage<S> {
    caller: Softphone,
    browser: Browser,
    page: Url,
    site: S,
    _turn: MutexGuard<'static, ()>,
}

impl Stage<Demo> {
    /// `None` if browser tests are to be left out.
    async fn set() -> Result<Option<Self>, Failure> {
        if skipped() {
            return Ok(None);
        }
        let turn = ONE_AT_A_TIME.lock().await;
        let demo = tokio::task::spawn_blocking(Demo::start).await??;
        Ok(Some(Self::open(demo.url.clone(), demo, turn).await?))
    }
}

/// An emulator in this process with a bot whose media is the emulator's.
struct Site {
    _cloud: Cloud,
    desk: Desk,
}

impl Stage<Site> {
    /// `None` if browser tests are to be left out.
    async fn meet() -> Result<Option<Self>, Failure> {
        if skipped() {
            return Ok(None);
        }
        let turn = ONE_AT_A_TIME.lock().await;
        let cloud = Cloud::start().await?;
        let desk = Desk::start(&cloud.emulator).await?;
        let page = cloud.emulator.page_url();
        let _cloud = cloud;
        Ok(Some(Self::open(page, Site { _cloud, desk }, turn).await?))
    }
}

/// An emulator in this process, and a bot in another whose media goes past the emulator.
struct Apart {
    _cloud: Cloud,
    _service: Service,
}

impl Stage<Apart> {
    /// `None` if browser tests are to be left out.
    async fn apart(flow: &str) -> Result<Option<Self>, Failure> {
        if skipped() {
            return Ok(None);
        }
        let turn = ONE_AT_A_TIME.lock().await;
        let cloud = Cloud::start().await?;
        let service = Service::start(&cloud.emulator, flow, &Around::default())?;
        let page = cloud.emulator.page_url();
        let site = Apart {
            _cloud: cloud,
            _service: service,
        };
        Ok(Some(Self::open(page, site, turn).await?))
    }
}

impl<S> Stage<S> {
    async fn open(page: Url, site: S, turn: MutexGuard<'static, ()>) -> Result<Self, Failure> {
        let browser = Browser::start(&fixture("speech/read-en.wav")).await?;
        let caller = Softphone::open(&browser.driver, page.as_str()).await?;
        Ok(Self {
            caller,
            browser,
            page,
            site,
            _turn: turn,
        })
    }

    /// Calls the bot and waits for its voice.
    async fn call(&self) -> Result<(), Failure> {
        self.caller.click("call").await?;
        self.caller.reaches("established").await?;
        self.caller.hears_something().await
    }

    /// The page broke no rule on the way: no error on the console, no request to
    /// anyone but the emulator.
    async fn end(self) -> Result<(), Failure> {
        assert_eq!(self.browser.console_errors().await?, [""; 0]);
        let page = self.page.as_str();
        let socket = page.replacen("http", "ws", 1);
        let requested = self.browser.requested().await?;
        assert!(requested.iter().any(|url| url == page), "{requested:?}");
        let own = |url: &str| url.starts_with(page) || url.starts_with(&socket);
        // The browser's own pages (chrome://) and data in place are not requests.
        let network = |url: &str| url.starts_with("http") || url.starts_with("ws");
        let others: Vec<_> = requested
            .iter()
            .filter(|url| network(url) && !own(url))
            .collect();
        assert!(others.is_empty(), "requests to others: {others:?}");
        self.browser.quit().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_calls_the_bot_and_hangs_up() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    stage.call().await?;
    let caller = &stage.caller;
    caller.shows_of("Bot", "prompts").await?;
    caller.shows_of("You", "speech").await?;

    // One key by mouse, one by keyboard.
    caller.click("key-1").await?;
    caller.shows_digits("1").await?;
    caller.type_keys("2").await?;
    for shown in caller.shows_digits("12").await? {
        assert_eq!(shown.source, "rtp", "{shown:?}");
        assert!(shown.text.contains("RTP event"), "{shown:?}");
        assert!(shown.duration > 0.0, "{shown:?}");
    }

    caller.click("hangup").await?;
    caller.reaches("terminated").await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_has_lanes_for_a_bot_of_another_process() -> Result<(), Failure> {
    let flow = r#"
        start = "ask"
        otherwise = "bye"
        [prompts.hello]
        file = "bye.wav"
        text = "Hello."
        [nodes.ask]
        say = "hello"
        listen = { keys = { "1" = "bye" }, timeout = 60 }
        [nodes.bye]
        hang_up = true
    "#;
    let Some(stage) = Stage::apart(flow).await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    caller.toggle_inspector().await?;
    stage.call().await?;
    for (name, kind) in [("You", "levels"), ("You", "speech"), ("Bot", "levels")] {
        caller.shows_of(name, kind).await?;
    }
    caller.shows_of("Bot", "prompts").await?;
    caller.inspects("prompt", "sound", "").await?;
    // The key is shown as pressed: which one it was the bot alone has heard.
    caller.click("key-1").await?;
    caller.shows_of("You", "digits").await?;
    caller.inspects("digit", "Key •", "pressed").await?;
    caller.reaches("terminated").await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_without_a_microphone_says_goodbye_by_key() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    stage.caller.choose_voice("none").await?;
    stage.call().await?;
    stage.caller.click("key-#").await?;
    // The bot says goodbye and hangs up.
    stage.caller.reaches("terminated").await?;
    let digits = stage.caller.shows_digits("#").await?;
    assert_eq!(digits[0].source, "rtp");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_is_transferred_to_an_agent_in_a_second_tab() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    let agent = caller.open_second().await?;
    stage.call().await?;

    caller.click("key-0").await?;
    agent.reaches("ringing").await?;
    agent.click("accept").await?;
    agent.reaches("established").await?;
    caller.talks_to("Agent").await?;
    agent.talks_to("Caller").await?;
    caller.reaches("established").await?;
    agent.hears_something().await?;
    caller.hears_something().await?;

    agent.click("hangup").await?;
    caller.reaches("terminated").await?;
    agent.reaches("terminated").await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_inspects_a_call_and_switches_faults() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    caller.toggle_inspector().await?;
    caller.click("fault-double").await?;
    eventually("the fault is on", async || {
        Ok((caller.faults().await? == 1).then_some(()))
    })
    .await?;
    stage.call().await?;
    caller.inspects("request", "answer", "202").await?;
    caller
        .inspects("notification", "incoming (3 times)", "202")
        .await?;
    caller.inspects("state", "established", "").await?;
    caller.click("key-1").await?;
    caller.shows_digits("1").await?;
    caller.inspects("digit", "Key 1", "rtp").await?;
    let shown = caller.opened_row("answer").await?;
    for part in [
        "curl -X POST '",
        "/answer'",
        "Bearer $token",
        "appHostedMediaConfig",
        "\"…\"",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }

    caller.click("fault-double").await?;
    eventually("the fault is off", async || {
        Ok((caller.faults().await? == 0).then_some(()))
    })
    .await?;
    caller.click("advance-60000").await?;
    caller.shows_text("advanced", "1 min ahead").await?;
    caller.shows_text("judge", "Nothing so far.").await?;
    assert_eq!(caller.nameless().await?, [""; 0]);
    has_no_barrier(caller).await?;
    caller.click("hangup").await?;
    caller.reaches("terminated").await?;
    caller.inspects("notification", "terminated", "202").await?;
    refuses_the_next_answers(caller).await?;
    // Chromium tells of the one that was refused, and of nothing else.
    let told = stage.browser.console_errors().await?;
    assert!(
        told.len() == 1 && told[0].contains("/admin/faults"),
        "{told:?}"
    );
    stage.end().await
}

/// A fault of one's own: the bot can't answer, which the judge finds.
async fn refuses_the_next_answers(caller: &Softphone) -> Result<(), Failure> {
    caller.fill("fault-operation", "answer").await?;
    caller.choose("fault-kind", "lose").await?;
    caller.click("fault-add").await?;
    caller
        .shows_text("fault-refused", "lose concerns notifications")
        .await?;
    caller.choose("fault-kind", "status").await?;
    caller.fill("fault-person", "Caller").await?;
    caller.click("fault-add").await?;
    let shown = "status 503, calls of Caller: fitted 0, struck 0";
    caller.shows_text("faults-on", shown).await?;
    assert_eq!(caller.nameless().await?, [""; 0]);
    has_no_barrier(caller).await?;
    caller.click("call").await?;
    caller.inspects("request", "answer", "503").await?;
    caller
        .shows_text("faults-on", "calls of Caller: fitted")
        .await?;
    caller.click("advance-60000").await?;
    caller.reaches("terminated").await?;
    caller.shows_text("judge", "lateAnswer").await?;
    caller.click("remove-fault").await?;
    eventually("the fault is off", async || {
        Ok((caller.faults().await? == 0).then_some(()))
    })
    .await
}

/// axe-core finds nothing serious on the page as it is now.
async fn has_no_barrier(page: &Softphone) -> Result<(), Failure> {
    match page.barriers().await? {
        Some(barriers) => assert_eq!(barriers, [""; 0]),
        None => skip::skipped("npm install axe-core, and name its node_modules in NODE_PATH"),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_shows_a_page_without_barriers() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    has_no_barrier(caller).await?;
    let agent = caller.open_second().await?;
    has_no_barrier(&agent).await?;
    stage.call().await?;
    caller.type_keys("i").await?;
    caller.shows_text("lobby", "Nobody waits.").await?;
    has_no_barrier(caller).await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_sends_a_request_again_and_estimates_quality() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    caller.toggle_inspector().await?;
    stage.call().await?;
    caller.inspects("request", "answer", "202").await?;
    caller.opened_row("answer").await?;
    caller.click("replay").await?;
    // Answered once already, and its media blob was not kept.
    caller.inspects("request", "answer", "409").await?;
    // The bot knows the call already, and takes it all the same.
    caller.opened_row("incoming").await?;
    caller.click("replay-notification").await?;
    caller.shows_text("announce", "Sent again: 202").await?;
    // G.107, Annex B: R = 93.2 is a MOS of 4.41; one packet in ten lost costs 27 of it.
    let best = caller.mos(0.0, 0.0).await?;
    let lossy = caller.mos(0.1, 0.0).await?;
    let late = caller.mos(0.0, 400.0).await?;
    assert!((best - 4.41).abs() < 0.005, "{best}");
    assert!((lossy - 3.41).abs() < 0.05, "{lossy}");
    assert!((late - 3.04).abs() < 0.05, "{late}");
    for lane in ["stat-heard", "stat-sent"] {
        caller.shows_number(lane).await?;
    }
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_meets_others_in_a_meeting() -> Result<(), Failure> {
    let Some(stage) = Stage::meet().await? else {
        return Ok(());
    };
    let (caller, desk) = (&stage.caller, &stage.site.desk);
    let agent = caller.open_second().await?;
    agent.choose_voice("none").await?;
    let meeting = desk.plan("Board", &json!({})).await?;
    let call = desk.join(&meeting).await?;

    // One dials the meeting by name, the other by address.
    caller.toggle_inspector().await?;
    caller.dial("Board").await?;
    caller.reaches("established").await?;
    let address = meeting["joinWebUrl"].as_str().ok_or("no address")?;
    agent.dial(address).await?;
    agent.reaches("established").await?;
    caller.shows_lanes(&["You", "Bot", "Agent"]).await?;
    agent.shows_lanes(&["You", "Bot", "Caller"]).await?;

    // What is heard is shown as whose it is.
    for kind in ["levels", "speech"] {
        agent.shows_of("Caller", kind).await?;
    }
    agent.hears_something().await?;
    // The bot says more when it is asked.
    agent.click("key-1").await?;
    caller.shows_of("Bot", "prompts").await?;
    let digits = caller.shows_digits("1").await?;
    assert!(digits[0].text.starts_with("Agent"), "{digits:?}");
    let own = agent.shows_digits("1").await?;
    assert!(own[0].text.starts_with("RTP event"), "{own:?}");
    caller.inspects_of("Agent", "digit", "Key 1", "rtp").await?;

    // Every bot's requests and notifications are there, and its prompts.
    desk.join(&meeting).await?;
    caller
        .shows_lanes(&["You", "Bot", "Agent", "Bot 2"])
        .await?;
    for bot in ["Bot", "Bot 2"] {
        caller.inspects_of(bot, "request", "create", "201").await?;
        caller
            .inspects_of(bot, "notification", "established", "202")
            .await?;
        caller.inspects_of(bot, "state", "established", "").await?;
        caller.inspects_of(bot, "prompt", "prompt.wav", "").await?;
    }
    has_no_barrier(caller).await?;

    caller.click("hold").await?;
    agent.hears_nothing().await?;
    assert!(!caller.plays().await?);
    caller.type_keys("o").await?;
    agent.hears_something().await?;
    assert!(caller.plays().await?);
    desk.mute(&call, "Caller").await?;
    caller.shows_text("subline", "The bot muted you").await?;
    agent.hears_nothing().await?;
    caller.click("hangup").await?;
    agent.shows_text("announce", "Caller has left").await?;
    agent.click("hangup").await?;
    agent.reaches("terminated").await?;
    waits_in_the_lobby(&agent, caller, desk).await?;
    stage.end().await
}

/// One waits in a lobby, twice: the other lets in, and sends away.
async fn waits_in_the_lobby(
    one: &Softphone,
    other: &Softphone,
    desk: &Desk,
) -> Result<(), Failure> {
    let closed = json!({"lobbyBypassSettings": {"scope": "organizer"}});
    desk.plan("Closed", &closed).await?;
    one.dial("Closed").await?;
    one.reaches("lobby").await?;
    other.shows_text("lobby", "Agent, Closed").await?;
    has_no_barrier(other).await?;
    other.click("admit").await?;
    one.reaches("established").await?;
    other.shows_text("lobby", "Nobody waits.").await?;
    one.click("hangup").await?;
    one.reaches("terminated").await?;

    one.dial("Closed").await?;
    one.reaches("lobby").await?;
    other.shows_text("lobby", "Agent, Closed").await?;
    other.click("turn-away").await?;
    one.reaches("terminated").await?;
    one.shows_text("subline", "You were not let in").await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_mutes_copies_changes_its_network_and_works_by_keyboard() -> Result<(), Failure> {
    let Some(stage) = Stage::meet().await? else {
        return Ok(());
    };
    let caller = &stage.caller;
    caller.type_keys("i").await?;
    caller.click("fault-loss").await?;
    let suffers = async |condition: &str| {
        eventually(&format!("the network has {condition}"), async || {
            let rules = caller.admin("network").await?.to_string();
            Ok(rules.contains(condition).then_some(()))
        })
        .await
    };
    suffers("\"loss\":0.1").await?;
    caller.click("fault-bots").await?;
    suffers("\"bot\":\"").await?;
    // What a bot is refused before there is a call is seen as well.
    let misspelt = json!({"callbackURI": "http://127.0.0.1/"});
    let path = "/communications/calls";
    let refused = stage.site.desk.ask(Method::POST, path, &misspelt).await;
    assert!(refused.is_err());
    caller.inspects("request", "create", "400").await?;
    caller.dial("").await?;
    caller.reaches("established").await?;

    // What the bot hears of this side is gone, and comes again.
    caller.is_heard(true).await?;
    let id = caller.call_id().await?;
    let is_muted = async |muted: bool| {
        eventually(&format!("the bot sees it muted: {muted}"), async || {
            let path = format!("/communications/calls/{id}/participants");
            let roster = stage
                .site
                .desk
                .ask(Method::GET, &path, &Value::Null)
                .await?;
            Ok((roster["value"][1]["isMuted"] == muted).then_some(()))
        })
        .await
    };
    caller.click("mute").await?;
    caller.is_heard(false).await?;
    is_muted(true).await?;
    caller.click("mute").await?;
    caller.is_heard(true).await?;
    is_muted(false).await?;

    caller.click("address-change").await?;
    suffers("\"addressChange\":true").await?;
    caller.click("fault-loss").await?;
    // From another port it is heard as before, though the browser's next check may be seconds
    // away, and hears.
    caller.type_keys("1").await?;
    caller.hears_something().await?;
    caller.shows_digits("1").await?;

    let shown = caller.opened_row("answer").await?;
    let copied = caller.copied().await?;
    assert!(copied.starts_with("curl -X POST '"), "{copied}");
    assert!(
        shown.contains("/answer'") && copied.contains("/answer'"),
        "{copied}"
    );
    assert_eq!(caller.out_of_reach().await?, [""; 0]);
    caller.click("hangup").await?;
    caller.reaches("terminated").await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_tab_closed_mid_call_ends_the_call() -> Result<(), Failure> {
    let Some(stage) = Stage::set().await? else {
        return Ok(());
    };
    let other = stage.caller.open_second().await?;
    assert_eq!(other.calls_alive().await?, 0);
    stage.call().await?;
    assert_eq!(other.calls_alive().await?, 1);

    stage.caller.clone().close_tab().await?;
    eventually("the call is gone", async || {
        Ok((other.calls_alive().await? == 0).then_some(()))
    })
    .await?;
    eventually("the phone is gone", async || {
        Ok(other.other_phones().await?.is_empty().then_some(()))
    })
    .await?;
    stage.end().await
}
