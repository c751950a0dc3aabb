//! Bad networks, end to end: a bot in a process of its own, a caller whose packets suffer.
//! What the bot makes of the keys shows in where its flow leads.

use std::collections::BTreeSet;

use switchboard_tests::Failure;
use switchboard_tests::cloud::Cloud;
use switchboard_tests::patience::eventually;
use switchboard_tests::service::{Around, Service};

const KEYS: &str = "4711908256";
/// How every caller begins.
const STANDING: &str = r#"
{ network = {} },
{ call = "bot" },
{ reach = "established", within = "40s" },
{ pause = "1s" },
"#;

/// Speaks once exactly `keys` have come, and lets go at once after any other key.
fn exact(keys: &str) -> String {
    let mut flow = r#"
start = "k0"
otherwise = "wrong"
[prompts.yes]
file = "bye.wav"
text = "Thank you."
[nodes.wrong]
hang_up = true
[nodes.yes]
say = "yes"
hang_up = true
"#
    .to_owned();
    let next = (1..keys.len()).map(|n| format!("k{n}"));
    let next = next.chain(["last".to_owned(), "yes".to_owned()]);
    // The last one shows that the one before it was not heard twice.
    for ((number, key), next) in keys.chars().chain(['#']).enumerate().zip(next) {
        let node = match number == keys.len() {
            true => "last".to_owned(),
            false => format!("k{number}"),
        };
        flow.push_str(&format!(
            "[nodes.{node}]\nlisten = {{ keys = {{ \"{key}\" = \"{next}\" }}, timeout = 90, retries = 0, on_invalid = \"wrong\" }}\n"
        ));
    }
    flow
}

struct Site {
    cloud: Cloud,
    service: Service,
}

impl Site {
    async fn start() -> Result<Self, Failure> {
        let cloud = Cloud::start().await?;
        let service = Service::start(&cloud.emulator, &exact(KEYS), &Around::default())?;
        Ok(Self { cloud, service })
    }

    /// Once a call stands, every step comes about, and nothing of the call is left.
    async fn passes(self, steps: &str) -> Result<(), Failure> {
        self.passes_from_the_start(&format!("{STANDING}{steps}"))
            .await
    }

    /// The same without a call that stands.
    async fn passes_from_the_start(mut self, steps: &str) -> Result<(), Failure> {
        let script = format!("name = \"x\"\nlimit = \"3m\"\n[people.Carla]\nsteps = [\n{steps}\n]");
        let report = self.cloud.play(&script, "speech").await?;
        if !report.passed {
            return Err(format!("{}\n{}", report.text(), self.service.warnings()?).into());
        }
        eventually("the call to be over on both sides", async || {
            let counts = self.cloud.emulator.counts();
            Ok((counts.calls == 0 && counts.media == 0).then_some(()))
        })
        .await?;
        match self.service.end()? {
            true => Ok(()),
            false => Err(self.service.warnings()?.into()),
        }
    }
}

/// Keys through a network of such conditions once the call stands; the bot speaks
/// if it heard them all.
async fn keys_get_through(conditions: &str, held: &str) -> Result<(), Failure> {
    let site = Site::start().await?;
    let steps = format!(
        r#"
{{ network = {{ {conditions} }} }},
{{ press = "{KEYS}#", for = "{held}" }},
{{ hear = "speech", within = "30s" }},
{{ reach = "ended", within = "40s" }},
"#
    );
    site.passes(&steps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn five_percent_of_loss_cost_no_key() -> Result<(), Failure> {
    keys_get_through("loss = 0.05", "100ms").await
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_percent_of_loss_cost_no_key() -> Result<(), Failure> {
    keys_get_through("loss = 0.3", "200ms").await
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_percent_of_loss_from_the_first_packet_on_cost_no_call() -> Result<(), Failure> {
    let steps = format!(
        r#"
{{ network = {{ loss = 0.3 }} }},
{{ call = "bot" }},
{{ reach = "established", within = "40s" }},
{{ pause = "5s" }},
{{ press = "{KEYS}#", for = "200ms" }},
{{ hear = "speech", within = "30s" }},
{{ reach = "ended", within = "40s" }},
"#
    );
    Site::start().await?.passes_from_the_start(&steps).await
}

/// The first port is dead from then on: were the bot to go on sending there, it would not be
/// heard, and the call would be over before the last of the keys. The first are pressed before
/// any check has come from the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_comes_from_another_port_is_heard_and_hears() -> Result<(), Failure> {
    let (before, rest) = KEYS.split_at(4);
    let (at_once, after) = rest.split_at(2);
    let steps = format!(
        r#"
{{ press = "{before}" }},
{{ pause = "1s" }},
{{ network = {{ address_change = true }} }},
{{ press = "{at_once}" }},
{{ pause = "20s" }},
{{ press = "{after}#", for = "200ms" }},
{{ hear = "speech", within = "30s" }},
{{ reach = "ended", within = "40s" }},
"#
    );
    Site::start().await?.passes(&steps).await
}

/// Ten packets in a row on average. A key that is shorter than a burst can be lost whole.
#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_200_ms_cost_no_key_that_is_held_longer() -> Result<(), Failure> {
    keys_get_through("loss = 0.1, burst = 10.0", "800ms").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stands_still_for_five_seconds_costs_no_call() -> Result<(), Failure> {
    let (before, after) = KEYS.split_at(4);
    let steps = format!(
        r#"
{{ press = "{before}" }},
{{ pause = "1s" }},
{{ network = {{ stall = true }} }},
{{ pause = "5s" }},
{{ network = {{}} }},
{{ pause = "1s" }},
{{ press = "{after}#" }},
{{ hear = "speech", within = "30s" }},
{{ reach = "ended", within = "40s" }},
"#
    );
    Site::start().await?.passes(&steps).await
}

/// Nobody is left in a call that only one side hears: consent expires (RFC 7675).
async fn one_way(direction: &str) -> Result<(), Failure> {
    let steps = format!(
        r#"
{{ network = {{ stall = true, direction = "{direction}" }} }},
{{ reach = "ended", within = "80s" }},
"#
    );
    Site::start().await?.passes(&steps).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_caller_is_not_heard_any_more_ends() -> Result<(), Failure> {
    one_way("up").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_bot_is_not_heard_any_more_ends() -> Result<(), Failure> {
    one_way("down").await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_call_past_the_emulator_are_seen() -> Result<(), Failure> {
    let flow = exact("1").replace(
        "[nodes.k0]",
        "[nodes.hello]\nsay = \"yes\"\nnext = \"k0\"\n[nodes.k0]",
    );
    let flow = flow.replace("start = \"k0\"", "start = \"hello\"");
    let cloud = Cloud::start().await?;
    let mut service = Service::start(&cloud.emulator, &flow, &Around::default())?;
    let mut timeline = cloud.emulator.timeline().subscribe();
    let script = r#"
[people.Carla]
steps = [
    { call = "bot" },
    { hear = "speech" },
    { hear = "silence", for = "1s" },
    { say = "read-en.wav", background = true },
    { pause = "2s" },
    { press = "1#" },
    { reach = "ended" },
]"#;
    let report = cloud.play(script, "speech").await?;
    assert!(report.passed, "{}", report.text());
    let (mut seen, mut loud) = (BTreeSet::new(), BTreeSet::new());
    while let Ok(event) = timeline.try_recv() {
        let event = serde_json::to_value(event)?;
        let far = event["far"] == true;
        let kind = event["type"].as_str().unwrap_or_default().to_owned();
        if kind == "key" {
            assert_eq!(event["digit"], serde_json::Value::Null, "{event}");
        }
        if event["dbov"].as_f64().is_some_and(|dbov| dbov > -40.0) {
            loud.insert(far);
        }
        seen.insert((far, kind));
    }
    for (far, kind) in [(false, "speech"), (false, "key"), (true, "speech")] {
        assert!(seen.contains(&(far, kind.to_owned())), "{kind}: {seen:?}");
    }
    assert_eq!(loud.len(), 2, "both are heard");
    assert!(service.end()?, "the bot ended badly");
    cloud.emulator.stop().await;
    Ok(())
}
