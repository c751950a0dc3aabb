//! One simulation from its beginning to its end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use secrecy::SecretString;
use serde_json::{Value, json};
use switchboard_bot::{Bot, BotConfig, Cloud, Ledger, Parts};
use switchboard_emulator::simulation::Simulation;
use switchboard_emulator::{App, EmulatorConfig, PhoneRole};
use switchboard_signaling::carrier::{Carrier, Http};
use switchboard_signaling::types::CallId;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;
use url::Url;

use super::chance::Chance;
use super::plan::{CallerPlan, Plan};
use super::record::Record;
use super::wire::{Between, Living, ToBot, ToCloud};
use super::{Outcome, Stage, people, strangers};
use crate::Failure;

const TENANT: &str = "aa11bb22-0000-4000-8000-000000000001";
pub(super) const CLIENT: &str = "cc33dd44-0000-4000-8000-000000000002";
const SECRET: &str = "simulated-secret";
pub(super) const CLOUD: &str = "https://cloud.example/";
pub(super) const BOT: &str = "https://bot.example/";
/// By when every call is over, whatever went wrong: Graph ends calls that nobody keeps alive
/// after 45 minutes.
const LAST: Duration = Duration::from_secs(60 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What the judge must never find. The others can be a fault's doing: a bot that isn't told of
/// a call answers it late, one that is dead refuses what it is told.
const NEVER: [&str; 3] = ["earlyRetry", "neverDeleted", "missingKeepAlive"];

/// What outlives a bot: its file of calls.
#[derive(Default)]
struct Kept(Mutex<BTreeSet<CallId>>);

/// What one life of a bot does with it.
struct Held {
    kept: Arc<Kept>,
    alive: Arc<AtomicBool>,
}

impl Held {
    fn change(&self, act: impl FnOnce(&mut BTreeSet<CallId>)) {
        if self.alive.load(Ordering::Relaxed) {
            act(&mut self.kept.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Ledger for Held {
    fn begun(&self, call: &CallId) {
        self.change(|calls| _ = calls.insert(call.clone()));
    }

    fn over(&self, call: &CallId) {
        self.change(|calls| _ = calls.remove(call));
    }

    fn left(&self) -> Vec<CallId> {
        let calls = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().cloned().collect()
    }
}

struct World<'s> {
    stage: &'s Stage,
    between: Arc<Between>,
    cloud: Arc<Simulation>,
    to_bot: Living,
    kept: Arc<Kept>,
    lives: u32,
}

/// A bot and whether it lives.
struct Life {
    bot: Bot,
    alive: Arc<AtomicBool>,
}

pub(super) async fn run(
    stage: &Stage,
    seed: u64,
    chance: Chance,
    plan: Plan,
) -> Result<Outcome, Failure> {
    let mut world = World::new(stage, seed, chance, plan)?;
    world.say_plan();
    world.set_faults().await?;
    let people = world.people();
    let mut life = world.bear()?;
    let (between, to_bot) = (Arc::clone(&world.between), Arc::clone(&world.to_bot));
    tokio::spawn(strangers::knock(between, to_bot));
    tokio::spawn(roll_over(Arc::clone(&world.between), world.cloud.router()));
    let mut lives = Vec::new();
    if let Some(dead) = world.between.plan.dead {
        tokio::time::sleep(dead.from).await;
        world.kill(&life);
        tokio::time::sleep(dead.to - dead.from).await;
        // Dropped now, it would say goodbye: its tasks are still there, but cut off.
        lives.push(std::mem::replace(&mut life, world.bear()?));
    }
    for person in people {
        person.await?;
    }
    world.until_quiet(&life).await;
    world.judge(&life).await?;
    let (log, wrongs, tally) = world.between.record.finish();
    Ok(Outcome { log, wrongs, tally })
}

/// The cloud signs with another key, when the plan says.
async fn roll_over(between: Arc<Between>, cloud: axum::Router) {
    let Some(after) = between.plan.rolled_over else {
        return;
    };
    tokio::time::sleep(after).await;
    let request = Request::post("/admin/keys/rotate").body(Body::empty());
    if let Ok(request) = request
        && let Ok(response) = cloud.oneshot(request).await
        && response.status().is_success()
    {
        between.record.say("the keys are rolled over");
    }
}

impl<'s> World<'s> {
    fn new(stage: &'s Stage, seed: u64, chance: Chance, plan: Plan) -> Result<Self, Failure> {
        let between = Arc::new(Between {
            chance,
            record: Record::new(),
            plan,
        });
        let to_bot = Arc::new(Mutex::new(None));
        let carrier = ToBot {
            between: Arc::clone(&between),
            bot: Arc::clone(&to_bot),
        };
        let app = App {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SecretString::from(SECRET),
            webhook: Some(Url::parse(BOT)?.join("api/calls")?),
        };
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let config = EmulatorConfig::new(nowhere, stage.transport.clone())
            .with_app(app)
            .with_seed(Some(seed));
        // As long as the emulator's own time-out for webhooks.
        let http = stage.http(Arc::new(carrier), Duration::from_secs(10));
        let cloud = Simulation::start(config, Url::parse(CLOUD)?, http)?;
        Ok(Self {
            stage,
            between,
            cloud: Arc::new(cloud),
            to_bot,
            kept: Arc::default(),
            lives: 0,
        })
    }

    fn say_plan(&self) {
        let plan = &self.between.plan;
        for rule in &plan.faults {
            self.between.record.say(&format!("rule {rule}"));
        }
        let spans = (plan.identity_down, plan.bot_unreachable, plan.dead);
        self.between.record.say(&format!("outages {spans:?}"));
    }

    async fn set_faults(&self) -> Result<(), Failure> {
        for rule in &self.between.plan.faults {
            let status = self.admin("POST", "faults", rule.to_string()).await?.0;
            if status != 201 {
                return Err(format!("the rule {rule} is refused: {status}").into());
            }
        }
        let ahead = self.between.plan.cloud_ahead.as_millis();
        if ahead > 0 {
            let skew =
                json!({"operation": "notification:*", "fault": {"kind": "skew", "ms": ahead}});
            self.admin("POST", "faults", skew.to_string()).await?;
        }
        Ok(())
    }

    async fn admin(&self, method: &str, path: &str, body: String) -> Result<(u16, Value), Failure> {
        let request = Request::builder().method(method);
        let request = request
            .uri(format!("/admin/{path}"))
            .body(Body::from(body))?;
        let response = self.cloud.router().oneshot(request).await?;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn people(&self) -> Vec<JoinHandle<()>> {
        let agent = self.cloud.phone("Agent", PhoneRole::Agent);
        let acts = self.between.plan.agent;
        tokio::spawn(people::answer(Arc::clone(&self.between), agent, acts));
        let chance = &self.between.chance;
        let plans = self.between.plan.callers.iter();
        let mut callers = Vec::new();
        for (number, plan) in plans.enumerate() {
            let phone = self
                .cloud
                .phone(&format!("Caller {number}"), PhoneRole::Caller);
            let plan = CallerPlan {
                at: plan.at + chance.ms(0, 9),
                acts: plan.acts.clone(),
                patience: plan.patience,
            };
            let (between, cloud) = (Arc::clone(&self.between), Arc::clone(&self.cloud));
            callers.push(tokio::spawn(people::call(between, cloud, phone, plan)));
        }
        callers
    }

    /// A bot comes to life.
    fn bear(&mut self) -> Result<Life, Failure> {
        self.lives += 1;
        let alive = Arc::new(AtomicBool::new(true));
        let carrier = ToCloud {
            between: Arc::clone(&self.between),
            cloud: self.cloud.router(),
            life: self.lives,
            alive: Arc::clone(&alive),
        };
        let held = Held {
            kept: Arc::clone(&self.kept),
            alive: Arc::clone(&alive),
        };
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let config = BotConfig {
            public_url: Some(Url::parse(BOT)?),
            cloud: Cloud {
                graph: format!("{CLOUD}v1.0"),
                authority: CLOUD.to_owned(),
                openid_configuration: format!("{CLOUD}v1/.well-known/OpenIdConfiguration"),
            },
            http: Some(self.stage.http(Arc::new(carrier), Duration::from_secs(6))),
            ..BotConfig::new(nowhere, TENANT, CLIENT, SecretString::from(SECRET))
        };
        let parts = Parts {
            ledger: Some(Arc::new(held)),
            ..Parts::shared(Arc::clone(&self.stage.script))
        };
        let transport = self.stage.transport.clone();
        let (bot, router) = Bot::without_sockets(config, transport, parts)?;
        let mut to_bot = self.to_bot.lock().unwrap_or_else(PoisonError::into_inner);
        *to_bot = Some((self.lives, router));
        self.between.record.say(&format!("bot{} lives", self.lives));
        Ok(Life { bot, alive })
    }

    fn kill(&self, life: &Life) {
        life.alive.store(false, Ordering::Relaxed);
        *self.to_bot.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let calls = life.bot.calls();
        self.between
            .record
            .say(&format!("the bot is killed, with {calls} calls"));
        self.between
            .record
            .count_more("calls orphaned", calls as u64);
    }

    /// Until nobody has a call, or far too long.
    async fn until_quiet(&self, life: &Life) {
        while self.between.record.elapsed() < LAST {
            let kept = self.kept.0.lock().map_or(0, |kept| kept.len());
            if self.cloud.counts().calls == 0 && life.bot.calls() == 0 && kept == 0 {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn judge(&self, life: &Life) -> Result<(), Failure> {
        let record = &self.between.record;
        record.say("quiet");
        let counts = self.cloud.counts();
        let kept = self.kept.0.lock().map_or(0, |kept| kept.len());
        let left = [
            ("in the cloud", counts.calls),
            ("in the bot", life.bot.calls()),
            ("in its ledger", kept),
        ];
        for (place, calls) in left {
            if calls > 0 {
                record.wrong(&format!("{calls} calls are left {place}"));
            }
        }
        for verdict in self.cloud.verdicts() {
            record.say(&format!("the judge: {verdict}"));
            // A bot that was killed has forgotten what it was to wait for.
            let forgot = self.between.plan.dead.is_some() && verdict.starts_with(NEVER[0]);
            let never = !forgot && NEVER.iter().any(|rule| verdict.starts_with(rule));
            if never || self.between.plan.is_faultless() {
                record.wrong(&format!("the judge found {verdict}"));
            }
        }
        let rules = self.admin("GET", "faults", String::new()).await?.1;
        for rule in rules.as_array().into_iter().flatten() {
            let kind = rule["fault"]["kind"].as_str().unwrap_or_default();
            record.count_more(kind, rule["struck"].as_u64().unwrap_or(0));
        }
        Ok(())
    }
}

impl Stage {
    fn http(&self, carrier: Arc<dyn Carrier>, limit: Duration) -> Http {
        Http::carried(self.client.clone(), carrier, limit)
    }
}
