//! What is between bot and emulator in the network's place.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use reqwest::Response;
use serde_json::Value;
use switchboard_signaling::carrier::{Carrier, CarryError};
use tower::ServiceExt as _;

use super::chance::Chance;
use super::plan::Plan;
use super::record::{Asked, Record, short};
use super::strangers;
use super::world::CLOUD;

/// More than any body there is.
const MAX_BODY: usize = 1024 * 1024;

/// The bot that lives now, with its number.
pub(super) type Living = Arc<Mutex<Option<(u32, Router)>>>;

/// What both directions share.
pub(super) struct Between {
    pub(super) chance: Chance,
    pub(super) record: Record,
    pub(super) plan: Plan,
}

impl Between {
    async fn travel(&self) {
        let ms = match self.chance.happens(self.plan.slow) {
            true => self.chance.ms(500, 4000),
            false => self.chance.ms(1, 40),
        };
        tokio::time::sleep(ms).await;
    }
}

/// From one life of the bot to the cloud.
pub(super) struct ToCloud {
    pub(super) between: Arc<Between>,
    pub(super) cloud: Router,
    pub(super) life: u32,
    /// A bot that was killed sends and hears nothing.
    pub(super) alive: Arc<AtomicBool>,
}

/// From the cloud to the bot that lives now.
pub(super) struct ToBot {
    pub(super) between: Arc<Between>,
    pub(super) bot: Living,
}

impl fmt::Debug for ToCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToCloud")
    }
}

impl fmt::Debug for ToBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToBot")
    }
}

impl ToCloud {
    async fn while_alive(&self) {
        if !self.alive.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    fn is_refused(&self, path: &str) -> bool {
        let Between {
            chance,
            record,
            plan,
        } = &*self.between;
        let down = plan.identity_down.filter(|_| !path.starts_with("/v1.0/"));
        down.is_some_and(|down| down.holds(record.elapsed())) || chance.happens(plan.refused)
    }
}

#[async_trait::async_trait]
impl Carrier for ToCloud {
    async fn carry(&self, request: reqwest::Request) -> Result<Response, CarryError> {
        let record = &self.between.record;
        let (operation, call) = read(&request);
        let asked = Asked {
            life: self.life,
            operation: &operation,
            call: &call,
        };
        let name = format!("bot{} {operation} {}", self.life, short(&call));
        self.while_alive().await;
        // Whatever a notification names, the bot asks nobody but the cloud.
        if !request.url().as_str().starts_with(CLOUD) {
            record.wrong(&format!("{name}: it dials {}", request.url()));
        }
        record.asks(&asked);
        if self.is_refused(request.url().path()) {
            record.say(&format!("{name}: nobody is there"));
            record.count("request refused");
            return Err(CarryError::Unreachable);
        }
        self.between.travel().await;
        let (status, headers, body) = answer(self.cloud.clone(), request).await?;
        record.answered(&asked, status, retry_after(&headers));
        self.between.travel().await;
        self.while_alive().await;
        record.count(&format!("{operation} {status}"));
        let Some(body) = body else {
            record.say(&format!("{name}: done ({status}), the connection breaks"));
            return Err(CarryError::Broken);
        };
        record.say(&format!("{name}: {status}"));
        // Elsewhere it may be something below the call that is gone.
        if matches!(status, 404 | 410) && matches!(operation.as_str(), "get" | "delete") {
            record.told_over(self.life, &call);
        }
        response(status, headers, body)
    }

    fn chance(&self) -> f64 {
        self.between.chance.unit()
    }
}

#[async_trait::async_trait]
impl Carrier for ToBot {
    async fn carry(&self, request: reqwest::Request) -> Result<Response, CarryError> {
        let record = &self.between.record;
        let told = told(&request);
        self.between.travel().await;
        let bot = self
            .bot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let unreachable = self.between.plan.bot_unreachable;
        let unreachable = unreachable.is_some_and(|span| span.holds(record.elapsed()));
        let Some((life, bot)) = bot.filter(|_| !unreachable) else {
            record.say(&format!("cloud tells {}: nobody is there", told.words));
            record.count("notification to nobody");
            return Err(CarryError::Unreachable);
        };
        if self.between.plan.misaddressed {
            strangers::misaddress(record, &bot, &request).await?;
        }
        let (status, headers, body) = answer(bot, request).await?;
        record.say(&format!("cloud tells bot{life} {}: {status}", told.words));
        record.count(&format!("notification {status}"));
        if status == 202
            && let Some(call) = &told.over
        {
            record.told_over(life, call);
        }
        response(status, headers, body.unwrap_or_default())
    }

    fn chance(&self) -> f64 {
        self.between.chance.unit()
    }
}

/// Operation and call of a request.
fn read(request: &reqwest::Request) -> (String, String) {
    let path = request.url().path();
    let Some(below) = path.strip_prefix("/v1.0/communications/calls") else {
        let last = path.rsplit('/').next().unwrap_or_default();
        return (last.to_owned(), String::new());
    };
    let mut parts = below.trim_start_matches('/').split('/');
    let call = parts.next().unwrap_or_default().to_owned();
    let operation = match (parts.next(), request.method().as_str()) {
        (Some(action), _) => action.strip_prefix("microsoft.graph.").unwrap_or(action),
        (None, "GET") => "get",
        (None, "DELETE") => "delete",
        (None, _) => "create",
    };
    (operation.to_owned(), call)
}

/// What a notification says, for the log; which call is over by it.
struct Told {
    words: String,
    over: Option<String>,
}

fn told(request: &reqwest::Request) -> Told {
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let body: Value = body
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    let (mut words, mut over) = (String::new(), None);
    for notification in body["value"].as_array().into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (change, url) = (
            text(&notification["changeType"]),
            text(&notification["resourceUrl"]),
        );
        let data = &notification["resourceData"];
        let what = format!("{}{}", text(&data["state"]), text(&data["status"]));
        let below = url.trim_start_matches("/communications/calls/");
        let call = below.split('/').next().unwrap_or_default();
        words.push_str(&format!("{change} {} {what}", short(call)));
        if change == "deleted" && below == call {
            over = Some(call.to_owned());
        }
    }
    if words.is_empty() {
        words.push_str("nothing");
    }
    Told { words, over }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// What a router answers; no body if it breaks.
pub(super) async fn answer(
    router: Router,
    request: reqwest::Request,
) -> Result<(u16, HeaderMap, Option<Vec<u8>>), CarryError> {
    let bytes = request.body().and_then(reqwest::Body::as_bytes);
    let body = Body::from(bytes.unwrap_or_default().to_vec());
    let uri = &request.url()[url::Position::BeforePath..];
    let mut forwarded = Request::builder()
        .method(request.method())
        .uri(uri)
        .body(body)
        .map_err(|_| CarryError::Unreachable)?;
    *forwarded.headers_mut() = request.headers().clone();
    let Ok(response) = router.oneshot(forwarded).await;
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.ok();
    let body = body.map(|body| body.to_vec());
    Ok((parts.status.as_u16(), parts.headers, body))
}

fn response(status: u16, headers: HeaderMap, body: Vec<u8>) -> Result<Response, CarryError> {
    let mut response = axum::http::Response::builder()
        .status(status)
        .body(body)
        .map_err(|_| CarryError::Broken)?;
    *response.headers_mut() = headers;
    Ok(Response::from(response))
}
