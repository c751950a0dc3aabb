//! The scenarios of `fixtures/scenarios`, run with real audio against the bots they
//! are for.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use switchboard_bot::{Bot, BotConfig, Cloud, Parts, Script};
use switchboard_emulator::scenario::{self, Report, Scenario};
use switchboard_emulator::{Emulator, EmulatorConfig, NetworkRule};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_media::prompt::Prompt;
use switchboard_tests::cloud::keep_log;
use switchboard_tests::desk::{CLIENT, Desk, TENANT};
use switchboard_tests::patience::eventually;
use switchboard_tests::{Failure, fixture};
use switchboard_transport::{Transport, TransportConfig};
use url::Url;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

struct Site {
    transport: Transport,
    emulator: Emulator,
}

impl Site {
    async fn start() -> Result<Self, Failure> {
        Self::with(Vec::new()).await
    }

    async fn with(network: Vec<NetworkRule>) -> Result<Self, Failure> {
        let engine = Engine::start(EngineConfig::default())?;
        let transport = Transport::new(engine, TransportConfig::default());
        let mut config = EmulatorConfig::new(ANY, transport.clone()).with_app(Desk::app());
        config.network = network;
        let emulator = Emulator::start(config.with_seed(Some(1))).await?;
        Ok(Self {
            transport,
            emulator,
        })
    }

    async fn run(&self, name: &str) -> Result<Report, Failure> {
        let path = fixture(&format!("scenarios/{name}.toml"));
        let text = std::fs::read_to_string(&path)?;
        self.run_text(&text, &path).await
    }

    async fn run_text(&self, text: &str, path: &Path) -> Result<Report, Failure> {
        let folder = path.parent().ok_or("a file has a folder")?;
        let scenario = Scenario::parse(text, &mut |name| {
            let bytes = std::fs::read(folder.join(name)).map_err(|error| error.to_string())?;
            Prompt::from_wav(&bytes).map_err(|error| error.to_string())
        })?;
        let report = scenario::run(&self.emulator, &self.transport, &scenario).await;
        keep_log(&report)?;
        Ok(report)
    }
}

/// The demo's bot beside an emulator.
async fn demo() -> Result<(Site, Bot), Failure> {
    let site = Site::start().await?;
    let bot = demo_at(&site).await?;
    Ok((site, bot))
}

async fn demo_at(site: &Site) -> Result<Bot, Failure> {
    let text = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    let config = BotConfig {
        cloud: Cloud {
            graph: text(site.emulator.graph_url()),
            authority: text(site.emulator.authority_url()),
            openid_configuration: text(site.emulator.openid_configuration_url()),
        },
        ..BotConfig::new(ANY, TENANT, CLIENT, Desk::app().client_secret)
    };
    let parts = Parts::new(Script::demo()?);
    let bot = Bot::start(config, site.transport.clone(), parts).await?;
    site.emulator.set_webhook(CLIENT, bot.webhook_url())?;
    Ok(bot)
}

async fn passes_with_the_demo(name: &str) -> Result<(), Failure> {
    let (site, bot) = demo().await?;
    let report = site.run(name).await?;
    assert!(report.passed, "{}", report.text());
    bot.stop().await;
    site.emulator.stop().await;
    Ok(())
}

async fn passes_at_the_desk(name: &str) -> Result<(), Failure> {
    let site = Site::start().await?;
    Desk::start(&site.emulator).await?;
    let report = site.run(name).await?;
    assert!(report.passed, "{}", report.text());
    site.emulator.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_takes_keys() -> Result<(), Failure> {
    passes_with_the_demo("demo-keys").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_transfers() -> Result<(), Failure> {
    passes_with_the_demo("demo-transfer").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_serves_several() -> Result<(), Failure> {
    passes_with_the_demo("demo-several").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_stands_a_bad_network() -> Result<(), Failure> {
    passes_with_the_demo("bad-network").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_desk_answers_rejects_and_redirects() -> Result<(), Failure> {
    passes_at_the_desk("front-desk").await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_meet() -> Result<(), Failure> {
    passes_at_the_desk("meeting").await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_waits_in_a_lobby() -> Result<(), Failure> {
    passes_at_the_desk("lobby").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_stands_a_bad_network() -> Result<(), Failure> {
    passes_at_the_desk("bad-network").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_takes_keys_in_both_ways() -> Result<(), Failure> {
    passes_at_the_desk("ivr-keys").await
}

/// Runs a script at the desk, which misbehaves for some, and gives the judge's findings.
async fn found(text: &str) -> Result<Vec<String>, Failure> {
    let site = Site::start().await?;
    Desk::start(&site.emulator).await?;
    let report = site.run_text(text, &fixture("scenarios/x.toml")).await?;
    let steps = report.people.iter().flat_map(|person| &person.steps);
    let failed = steps.filter(|step| step.outcome != scenario::Outcome::Passed);
    assert_eq!(failed.count(), 0, "{}", report.text());
    site.emulator.stop().await;
    Ok(report.judge.into_iter().map(|found| found.rule).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_judge_finds_what_bots_do_wrong_on_purpose() -> Result<(), Failure> {
    for (name, steps, expected) in [
        (
            "Ada",
            r#"{ reach = "established" }, { hear = "speech" }, { hang_up = true }"#,
            &[][..],
        ),
        (
            "Slow",
            r#"{ reach = "established" }, { hear = "speech" }, { hang_up = true }"#,
            &["slowWebhook"],
        ),
        ("Refused", r#"{ expect_end = 503 }"#, &["webhookRefused"]),
        (
            "Ignored",
            r#"{ pause = "200ms" }, { advance_clock = "16s" }, { expect_end = 408 }"#,
            &["lateAnswer"],
        ),
        (
            "Late",
            r#"{ hear = "speech" }, { hang_up = true }, { pause = "2s" }"#,
            &["afterTheEnd"],
        ),
        (
            "Forgetful",
            r#"{ hear = "speech" }, { advance_clock = "44m" }, { expect_state = "established" }, { advance_clock = "1m" }, { expect_end = 408 }"#,
            &["missingKeepAlive", "neverDeleted"],
        ),
    ] {
        let text = format!("[people.{name}]\nsteps = [{{ call = \"bot\" }}, {steps}]");
        assert_eq!(found(&text).await?, expected, "{name}");
    }
    let hasty = r#"
        [[faults]]
        operation = "answer"
        nth = 1
        fault = { kind = "status", status = 429, retryAfter = 5 }
        [people.Hasty]
        steps = [{ call = "bot" }, { hear = "speech" }, { hang_up = true }]
    "#;
    assert_eq!(found(hasty).await?, ["earlyRetry"]);
    // The desk believes everybody, and plays nothing a third time.
    let credulous = r#"
        [[faults]]
        operation = "notification:establishing"
        fault = { kind = "wrongKey" }
        [[faults]]
        operation = "playPrompt"
        nth = 3
        fault = { kind = "status", status = 500 }
        [people.Ada]
        steps = [{ call = "bot" }, { hear = "speech" }, { hang_up = true }]
    "#;
    assert_eq!(found(credulous).await?, ["forgeryTaken", "faultUnused"]);
    Ok(())
}

/// Every fifth packet is missing, in place of a bot that doesn't send it; with a seed, the same
/// are lost.
async fn with_gaps(own_media: bool) -> Result<Vec<String>, Failure> {
    let rule = json!({"direction": "down", "conditions": {"loss": 0.2}});
    let site = Site::with(vec![serde_json::from_value(rule)?]).await?;
    let bot = match own_media {
        true => Some(demo_at(&site).await?),
        false => Desk::start(&site.emulator).await.map(|_| None)?,
    };
    // A prompt of more than four seconds: 200 packets, of which 40 are missing.
    let text = r#"
        overlook = ["slowWebhook"]
        [people.Ada]
        steps = [
            { call = "bot" },
            { hear = "speech" },
            { hear = "silence", for = "2s", within = "60s" },
            { hang_up = true },
        ]
    "#;
    let report = site.run_text(text, &fixture("scenarios/x.toml")).await?;
    if let Some(bot) = bot {
        bot.stop().await;
    }
    site.emulator.stop().await;
    let found = report.judge.into_iter().filter(|found| !found.overlooked);
    Ok(found.map(|found| found.rule).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn audio_with_gaps_is_found_where_the_bot_sends_it() -> Result<(), Failure> {
    assert_eq!(with_gaps(true).await?, ["mediaGap"]);
    assert_eq!(with_gaps(false).await?, [""; 0]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_scenario_and_seed_give_the_same_log() -> Result<(), Failure> {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let site = Site::start().await?;
        Desk::start(&site.emulator).await?;
        let report = site.run("ivr-keys").await?;
        assert!(report.passed, "{}", report.text());
        logs.push(report.log.join("\n"));
        site.emulator.stop().await;
    }
    assert!(
        logs[0].contains("Tones: notification tone 202 x1"),
        "{}",
        logs[0]
    );
    assert!(
        logs[0].contains("Events: request delete 204"),
        "{}",
        logs[0]
    );
    assert_eq!(logs[0], logs[1]);
    Ok(())
}

/// Three who do everything at once, in a meeting with a bot that leaves last.
const CROWD: &str = r##"
[people.Ada]
steps = [
    { together = "go" },
    { call = "meeting:crowd" },
    { reach = "established" },
    { together = "all are in" },
    { press = "1" },
    { hear = "speech" },
    { hear = "silence", for = "3s", within = "40s" },
    { together = "the prompt is over" },
    { pause = "2s" },
    { press = "#" },
    { hang_up = true },
]
[people.Ben]
steps = [
    { together = "go" },
    { call = "meeting:crowd" },
    { reach = "established" },
    { together = "all are in" },
    { press = "2" },
    { together = "the prompt is over" },
    { hang_up = true },
]
[people.Cleo]
steps = [
    { together = "go" },
    { call = "meeting:crowd" },
    { reach = "established" },
    { together = "all are in" },
    { press = "3" },
    { together = "the prompt is over" },
    { hang_up = true },
]
"##;

/// Waits until a bot was told that what it plays is over.
async fn has_played(emulator: &Emulator, call: &str) -> Result<(), Failure> {
    let journal = format!("{}/journal?call={call}", emulator.admin_url());
    eventually("the prompt is over", async || {
        let looked: Value = reqwest::get(&journal).await?.json().await?;
        let entries = looked["entries"].as_array().ok_or("no entries")?;
        let told = |entry: &Value| entry["notification"] == "operation" && entry["status"] == 202;
        Ok(entries.iter().any(told).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_act_at_once_give_the_same_log() -> Result<(), Failure> {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let site = Site::start().await?;
        let desk = Desk::start(&site.emulator).await?;
        let path = "/users/scenario/onlineMeetings/createOrGet";
        let meeting = json!({"externalId": "crowd", "subject": "crowd"});
        let meeting = desk.ask(Method::POST, path, &meeting).await?;
        // It plays to nobody, and is then asked for the prompt by key.
        let call = desk.join(&meeting).await?;
        has_played(&site.emulator, &call).await?;
        let report = site.run_text(CROWD, &fixture("scenarios/x.toml")).await?;
        assert!(report.passed, "{}", report.text());
        logs.push(report.log.join("\n"));
        site.emulator.stop().await;
    }
    for line in [
        "call terminated 0",
        "request playPrompt 200",
        "notification roster 202 x1",
        "request delete 204",
    ] {
        assert!(logs[0].contains(&format!("bot 1: {line}")), "{}", logs[0]);
    }
    assert_eq!(
        logs[0].matches("notification tone").count(),
        4,
        "{}",
        logs[0]
    );
    assert_eq!(logs[0], logs[1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_is_for_one_persons_calls() -> Result<(), Failure> {
    let site = Site::start().await?;
    Desk::start(&site.emulator).await?;
    let text = r#"
        [[faults]]
        operation = "playPrompt"
        person = "Ada"
        fault = { kind = "status", status = 503 }

        [people.Ada]
        steps = [
            { together = "go" },
            { call = "bot" },
            { reach = "established" },
            { expect_energy = { below = -50.0 }, for = "2s" },
            { hang_up = true },
        ]
        [people.Ben]
        steps = [
            { together = "go" },
            { call = "bot" },
            { hear = "speech" },
            { hang_up = true },
        ]
    "#;
    let report = site.run_text(text, &fixture("scenarios/x.toml")).await?;
    assert!(report.passed, "{}", report.text());
    for line in ["Ada: request playPrompt 503", "Ben: request playPrompt 200"] {
        assert!(report.log.iter().any(|own| own == line), "{:?}", report.log);
    }
    site.emulator.stop().await;
    Ok(())
}
