//! The page for people around a bot, `/admin/`, in a real browser: calls, reminders, health.

use serde_json::{Value, json};
use switchboard_tests::barriers::barriers;
use switchboard_tests::browser::{Browser, skipped};
use switchboard_tests::cloud::Cloud;
use switchboard_tests::patience::eventually;
use switchboard_tests::service::{Around, Service};
use switchboard_tests::{Failure, skip};
use thirtyfour::prelude::*;

/// A writer's key and a reader's, and their hashes.
const WRITER: &str = "swb_for-tests-alone";
const READER: &str = "swb_for-those-who-look";
const SETTINGS: &str = r#"
[[service.keys]]
name = "office"
role = "writer"
hash = "sha256:269830309523325adc8bd7a55d46e4f06769086b574669b263a597a011663cca"
[[service.keys]]
name = "board"
role = "reader"
hash = "sha256:88f8ad301b2baebc426c3768ba7fcee090135d5edb3fc281805de65543dd9437"
[reminders]
[reminders.prompts]
bye = "bye.wav"
"#;

const FLOW: &str = r#"
start = "wait"
otherwise = "end"
[prompts.bye]
file = "bye.wav"
[nodes.wait]
say = "bye"
listen = { keys = { 9 = "end" }, timeout = 300 }
[nodes.end]
hang_up = true
"#;

/// Somebody who stays in the line until the bot hangs up.
const SCENARIO: &str = r#"name = "Somebody waits"
overlook = ["slowWebhook"]
[people.Carla]
steps = [{ call = "bot" }, { reach = "established" }, { expect_end = 0, within = "4m" }]
"#;

/// The page in its browser.
struct Page<'a> {
    driver: &'a WebDriver,
}

impl Page<'_> {
    async fn enter(&self, key: &str) -> Result<(), Failure> {
        let field = self.driver.find(By::Id("key")).await?;
        field.send_keys(key).await?;
        field.send_keys(Key::Enter).await?;
        Ok(())
    }

    async fn text(&self, id: &str) -> Result<String, Failure> {
        Ok(self.driver.find(By::Id(id)).await?.text().await?)
    }

    /// Waits until a part of the page says something.
    async fn says(&self, id: &str, what: &str) -> Result<(), Failure> {
        let look = async || Ok(self.text(id).await?.contains(what).then_some(()));
        eventually(what, look).await
    }

    /// Presses the button of a row, twice: the first press only asks whether it's meant.
    async fn presses(&self, list: &str, label: &str) -> Result<(), Failure> {
        for label in [label.to_owned(), format!("{label}: sure?")] {
            let button = format!("//*[@id='{list}']//button[text()='{label}']");
            let look = async || {
                // Rows are made anew every few seconds, and a button with them.
                let Ok(button) = self.driver.find(By::XPath(&*button)).await else {
                    return Ok(None);
                };
                Ok(button.click().await.is_ok().then_some(()))
            };
            eventually(&label, look).await?;
        }
        Ok(())
    }

    /// Nothing of the page keeps the key.
    async fn keeps_nothing(&self) -> Result<(), Failure> {
        let kept = "return [document.cookie, localStorage.length, sessionStorage.length]";
        let kept = self.driver.execute(kept, Vec::new()).await?;
        assert_eq!(kept.json(), &json!(["", 0, 0]));
        Ok(())
    }
}

/// Has a reminder of tomorrow made.
async fn remind(service: &Service) -> Result<String, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let draft = json!({
        "user": "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1",
        "at": tomorrow.to_string(),
        "prompt": "bye",
        "reference": "visit 7",
    });
    let request = http.post(service.webhook.join("/api/v1/reminders")?);
    let request = request.bearer_auth(WRITER).header("idempotency-key", "1");
    let answer = request.json(&draft).send().await?;
    let status = answer.status();
    let told: Value = answer.json().await?;
    assert!(status.is_success(), "{status}: {told}");
    Ok(told["id"].as_str().ok_or("no id")?.to_owned())
}

/// A figure for Prometheus; 0 if it isn't told.
async fn figure(service: &Service, name: &str) -> Result<f64, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let request = http.get(service.webhook.join("/api/v1/metrics")?);
    let text = request.bearer_auth(READER).send().await?.text().await?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    Ok(lines.next().map_or(Ok(0.0), |value| value.trim().parse())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_sees_calls_and_reminders_and_ends_them() -> Result<(), Failure> {
    if skipped() {
        return Ok(());
    }
    let cloud = Cloud::start().await?;
    let around = Around {
        settings: SETTINGS.to_owned(),
        ..Around::default()
    };
    let mut service = Service::start(&cloud.emulator, FLOW, &around)?;
    let reminder = remind(&service).await?;
    let browser = Browser::start(&switchboard_tests::fixture("speech/read-en.wav")).await?;
    let base = service.webhook.join("/admin/")?;
    browser.driver.goto(base.as_str()).await?;
    let page = Page {
        driver: &browser.driver,
    };
    let watched = async {
        page.enter("swb_of-nobody").await?;
        page.says("notice", "key").await?;
        assert!(
            !page
                .driver
                .find(By::Id("board"))
                .await?
                .is_displayed()
                .await?
        );

        page.enter(READER).await?;
        page.says("calls", "established").await?;
        page.says("health", "Calls here\n1").await?;
        page.says("reminders", &reminder).await?;
        for counted in [
            "switchboard_webhook_requests_total{outcome=\"accepted\"}",
            "switchboard_notifications_total{outcome=\"taken\"}",
            "switchboard_media_datagrams_total{outcome=\"received\"}",
            "switchboard_media_tick_late_seconds{quantile=\"0.99\"}",
        ] {
            assert!(figure(&service, counted).await? > 0.0, "{counted}");
        }
        page.presses("calls", "Hang up").await?;
        page.says("notice", "Hang up: ").await?;
        page.says("calls", "established").await?;
        page.driver.find(By::Id("leave")).await?.click().await?;
        page.says("notice", "forgotten").await?;

        page.enter(WRITER).await?;
        page.says("calls", "established").await?;
        match barriers(page.driver).await? {
            Some(found) => assert_eq!(found, [""; 0]),
            None => skip::skipped("npm install axe-core, and name its node_modules in NODE_PATH"),
        }
        page.presses("calls", "Hang up").await?;
        page.says("calls", "No calls.").await?;
        page.presses("reminders", "Cancel").await?;
        page.says("reminders", "cancelled").await?;
        page.keeps_nothing().await
    };
    let (report, watched) = tokio::join!(cloud.play(SCENARIO, "speech"), watched);
    watched?;
    let report = report?;
    assert!(report.passed, "{}", report.text());

    // Refusals are told on the console; nothing else is, and nobody else was asked.
    let refused = |line: &String| line.contains("401") || line.contains("403");
    let errors = browser.console_errors().await?;
    assert!(errors.iter().all(refused), "{errors:?}");
    let requested = browser.requested().await?;
    let origin = base.join("/")?;
    let own = |url: &&String| !url.starts_with("http") || url.starts_with(origin.as_str());
    let others: Vec<_> = requested.iter().filter(|url| !own(url)).collect();
    assert!(others.is_empty(), "{others:?}");
    browser.quit().await?;
    assert!(service.end()?);
    Ok(())
}
