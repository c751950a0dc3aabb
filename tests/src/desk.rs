//! A small bot in plain JSON, for scenarios: a front desk, a menu with keys, and
//! several ways to misbehave. What a caller is called says how it is treated.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use switchboard_emulator::{App, Emulator};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use url::Url;

use crate::{Failure, fixture};

/// The bot's tenant, client id and secret.
pub const TENANT: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
/// See [`TENANT`].
pub const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
const SECRET: &str = "not-a-secret";
/// What a careless bot's webhook takes.
const SLOW: Duration = Duration::from_millis(1200);
/// How long after it was told of a call's end a careless bot goes on: no request that was on
/// its way takes so long.
const LATE: Duration = Duration::from_millis(1500);

/// A running bot.
#[derive(Clone)]
pub struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    base: Url,
    graph: String,
    token: Url,
    http: reqwest::Client,
    /// Calls of those it does not let go of.
    late: Mutex<BTreeSet<String>>,
}

impl Desk {
    /// The application's secret.
    pub fn secret() -> &'static str {
        SECRET
    }

    /// The application to register with the emulator.
    pub fn app() -> App {
        App {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            client_secret: SECRET.into(),
            webhook: None,
        }
    }

    /// Starts the bot and registers its webhook.
    ///
    /// # Errors
    /// No port can be had, or the emulator does not know the application.
    pub async fn start(emulator: &Emulator) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
        let graph = emulator.graph_url();
        let inner = Arc::new(Inner {
            base: base.clone(),
            graph: graph.as_str().trim_end_matches('/').to_owned(),
            token: emulator.token_url(),
            http: reqwest::Client::builder().no_proxy().build()?,
            late: Mutex::default(),
        });
        let prompt = std::fs::read(fixture("speech/command-en.wav"))?;
        let router = Router::new()
            .route("/api/calls", post(notified))
            .route("/prompt.wav", get(|| async { prompt }))
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        emulator.set_webhook(CLIENT, base.join("api/calls")?)?;
        Ok(Self { inner })
    }

    /// Where its files are.
    pub fn base(&self) -> &Url {
        &self.inner.base
    }

    /// Asks Graph for something, as the bot; gives the answer's body.
    ///
    /// # Errors
    /// Graph refuses.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.inner.graph);
        let token = self.inner.token().await?;
        let request = self.inner.http.request(method, url).bearer_auth(token);
        let answer = request.json(body).send().await?.error_for_status()?;
        let text = answer.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Plans a meeting; `more` is what it has beside its subject.
    ///
    /// # Errors
    /// Graph refuses.
    pub async fn plan(&self, subject: &str, more: &Value) -> Result<Value, Failure> {
        let mut meeting = more.clone();
        meeting["subject"] = json!(subject);
        let path = "/users/organizer-1/onlineMeetings";
        self.ask(Method::POST, path, &meeting).await
    }

    /// Joins a meeting, where it plays a prompt and waits for keys; gives its call's id.
    ///
    /// # Errors
    /// Graph refuses.
    pub async fn join(&self, meeting: &Value) -> Result<String, Failure> {
        let id = &meeting["joinMeetingIdSettings"]["joinMeetingId"];
        let body = json!({
            "callbackUri": self.inner.base.join("api/calls")?, "tenantId": TENANT,
            "requestedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
            "meetingInfo": {"@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
                "joinMeetingId": id},
        });
        let call = self
            .ask(Method::POST, "/communications/calls", &body)
            .await?;
        Ok(call["id"]
            .as_str()
            .ok_or("a call without an id")?
            .to_owned())
    }

    /// Mutes the participant of that name in one of its calls.
    ///
    /// # Errors
    /// Graph refuses, or nobody is called so.
    pub async fn mute(&self, call: &str, name: &str) -> Result<(), Failure> {
        let path = format!("/communications/calls/{call}/participants");
        let roster = self.ask(Method::GET, &path, &Value::Null).await?;
        let people = roster["value"].as_array().ok_or("no roster")?;
        let named =
            |one: &&Value| one.pointer("/info/identity/user/displayName") == Some(&json!(name));
        let one = people.iter().find(named).ok_or("nobody is called so")?;
        let id = one["id"].as_str().unwrap_or_default();
        self.ask(Method::POST, &format!("{path}/{id}/mute"), &json!({}))
            .await?;
        Ok(())
    }
}

async fn notified(State(bot): State<Arc<Inner>>, Json(body): Json<Value>) -> StatusCode {
    let notification = &body["value"][0];
    let caller = notification.pointer("/resourceData/source/identity/user/displayName");
    let slow = caller.is_some_and(|name| name == "Slow");
    if slow {
        tokio::time::sleep(SLOW).await;
    }
    if caller.is_some_and(|name| name == "Refused") {
        return StatusCode::BAD_REQUEST;
    }
    let notification = notification.clone();
    // What fails shows in the scenario.
    tokio::spawn(async move { bot.act(&notification).await });
    StatusCode::ACCEPTED
}

impl Inner {
    async fn act(&self, notification: &Value) -> Result<(), Failure> {
        let path = notification["resourceUrl"].as_str().unwrap_or_default();
        let call = path.split('/').nth(3).unwrap_or_default();
        let data = &notification["resourceData"];
        let tone = data["toneInfo"]["tone"].as_str();
        match (data["state"].as_str(), tone) {
            (Some("incoming"), _) => self.incoming(call, data).await,
            (_, Some("tone1")) => self.ask(call, "playPrompt", self.prompt()).await,
            (_, Some("pound")) => self.end(call).await,
            (Some("established"), None) => {
                let context = json!({"clientContext": "tones"});
                self.ask(call, "subscribeToTone", context).await?;
                self.ask(call, "playPrompt", self.prompt()).await
            }
            // It does not notice that the call is over.
            (Some("terminated"), _) if self.late.lock().await.remove(call) => {
                tokio::time::sleep(LATE).await;
                self.ask(call, "playPrompt", self.prompt()).await
            }
            _ => Ok(()),
        }
    }

    async fn incoming(&self, call: &str, data: &Value) -> Result<(), Failure> {
        let caller = data["source"]["identity"]["user"]["displayName"].as_str();
        match caller.unwrap_or_default() {
            "Ignored" => Ok(()),
            "Rolf" => {
                let why = json!({"reason": "busy"});
                self.ask(call, "reject", why).await
            }
            "Bea" => {
                let agent = json!({"identity": {"user": {"id": "agent"}}});
                self.ask(call, "redirect", json!({"targets": [agent]}))
                    .await
            }
            name => {
                if name == "Late" {
                    self.late.lock().await.insert(call.to_owned());
                }
                let media = json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"});
                let answer = json!({"acceptedModalities": ["audio"], "mediaConfig": media});
                self.ask(call, "answer", answer).await
            }
        }
    }

    fn prompt(&self) -> Value {
        let uri = format!("{}prompt.wav", self.base);
        let media = json!({"@odata.type": "#microsoft.graph.mediaInfo", "uri": uri});
        let prompt = json!({"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media});
        json!({"clientContext": "prompt", "prompts": [prompt]})
    }

    async fn ask(&self, call: &str, operation: &str, body: Value) -> Result<(), Failure> {
        let url = format!("{}/communications/calls/{call}/{operation}", self.graph);
        let request = self.http.post(url).bearer_auth(self.token().await?);
        let request = request.json(&body);
        // A throttled request comes again at once, whatever Retry-After says.
        let again = request.try_clone().ok_or("a body that was streamed")?;
        let mut answer = request.send().await?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            answer = again.send().await?;
        }
        answer.error_for_status()?;
        Ok(())
    }

    async fn end(&self, call: &str) -> Result<(), Failure> {
        let url = format!("{}/communications/calls/{call}", self.graph);
        let request = self.http.delete(url).bearer_auth(self.token().await?);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    async fn token(&self) -> Result<String, Failure> {
        let form = [
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        let request = self.http.post(self.token.clone()).form(&form);
        let answer: Value = request.send().await?.json().await?;
        let token = answer["access_token"].as_str();
        Ok(token.ok_or("no token")?.to_owned())
    }
}
