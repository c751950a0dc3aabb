//! The client for Graph's calling operations.

mod limiter;
mod list;
mod recording;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::ExposeSecret as _;
use url::Url;
use uuid::Uuid;

use crate::carrier::{Http, SendError};
use crate::clock;
use crate::cloud::{Cloud, Version};
use crate::error::{GraphError, TokenError};
use crate::http_client::{self, ReadError};
use crate::request::{self, GraphRequest, RecordingHosts, Reply, RetryPolicy, retry_after};
use crate::spans;
use crate::token::{Bearer, TokenProvider};
use crate::types::{
    AnswerRequest, Call, CallId, CommsOperation, PlayPromptRequest, RedirectRequest, RejectRequest,
    TransferRequest,
};

pub use crate::http_client::ConfigError;
pub use limiter::{AppLimiter, Limit, Limits};
pub use recording::{Recording, RecordingError};

/// Where Graph is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct GraphConfig {
    /// The base address with its version: `https://graph.microsoft.com/v1.0`, `…/beta`, a
    /// national cloud's, or the emulator's.
    pub base_url: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long one exchange may take, from connecting to the body's last byte. An incoming
    /// call is lost after 15 s, so several exchanges should fit into that.
    pub timeout: Duration,
    /// The largest response accepted, in bytes.
    pub max_response_bytes: usize,
    /// When a request is sent again.
    pub retry: RetryPolicy,
    /// Where recordings may be fetched from, beside Graph itself.
    pub recording_hosts: RecordingHosts,
    /// The application's documented limits; clients of other tenants should have a clone.
    pub limiter: AppLimiter,
}

impl GraphConfig {
    /// The usual limits, towards a cloud's Graph.
    pub fn for_cloud(cloud: Cloud, version: Version) -> Self {
        Self {
            base_url: cloud.base_url(version),
            ..Self::default()
        }
    }
}

impl Default for GraphConfig {
    fn default() -> Self {
        Self {
            base_url: "https://graph.microsoft.com/v1.0".to_owned(),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(6),
            max_response_bytes: 1024 * 1024,
            retry: RetryPolicy::default(),
            recording_hosts: RecordingHosts::default(),
            limiter: AppLimiter::default(),
        }
    }
}

/// A typed client for Graph. Clones share connections and tokens.
///
/// - A `401` is met with one new token and one more attempt.
/// - `429`, `500` and `502` to `504` are waited out, as long as Graph asks and within [`RetryPolicy`], for
///   operations that can be repeated without harm; [`request`] says which these are. Other
///   operations return the error, with Graph's `Retry-After`.
/// - Requests beyond the documented limits are held back, see [`Limits`].
/// - Nothing else is sent twice. [`GraphError::outcome`] tells whether an operation that
///   failed may have had its effect.
/// - No redirect is followed. Of the addresses in responses only a list's next page is used,
///   on Graph itself ([`GraphClient::list`]); of those in notifications only a recording's, on
///   a listed host ([`GraphClient::recording`]).
#[derive(Clone)]
pub struct GraphClient {
    inner: Arc<Inner>,
}

struct Inner {
    config: GraphConfig,
    base: Url,
    http: Http,
    tokens: TokenProvider,
    limiter: limiter::TenantLimiter,
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphClient")
            .field("base_url", &self.inner.base.as_str())
            .field("tokens", &self.inner.tokens)
            .finish_non_exhaustive()
    }
}

struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl GraphClient {
    /// A client; nothing is sent yet.
    pub fn new(config: GraphConfig, tokens: TokenProvider) -> Result<Self, ConfigError> {
        let base = base_of(&config)?;
        let http = http_client::client(&base, config.connect_timeout, config.timeout)?;
        Self::with_http(config, tokens, Http::network(http))
    }

    /// A client whose requests go by `http`.
    pub fn with_http(
        config: GraphConfig,
        tokens: TokenProvider,
        http: Http,
    ) -> Result<Self, ConfigError> {
        let base = base_of(&config)?;
        let http = http.within(config.timeout);
        let inner = Inner {
            limiter: config.limiter.tenant(),
            config,
            base,
            http,
            tokens,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Starts a call or joins a meeting. See [`request::create_call`].
    pub async fn create_call(&self, call: &Call) -> Result<Call, GraphError> {
        self.send(&request::create_call(call)?).await
    }

    /// Reads a call.
    pub async fn get_call(&self, id: &CallId) -> Result<Call, GraphError> {
        self.send(&request::get_call(id)).await
    }

    /// Hangs up.
    pub async fn delete_call(&self, id: &CallId) -> Result<(), GraphError> {
        self.send(&request::delete_call(id)).await
    }

    /// Answers an incoming call. See [`request::answer`].
    pub async fn answer(&self, id: &CallId, answer: &AnswerRequest) -> Result<(), GraphError> {
        self.send(&request::answer(id, answer)?).await
    }

    /// Turns an incoming call down.
    pub async fn reject(&self, id: &CallId, reject: &RejectRequest) -> Result<(), GraphError> {
        self.send(&request::reject(id, reject)?).await
    }

    /// Sends an incoming call elsewhere.
    pub async fn redirect(
        &self,
        id: &CallId,
        redirect: &RedirectRequest,
    ) -> Result<(), GraphError> {
        self.send(&request::redirect(id, redirect)?).await
    }

    /// Transfers an established call.
    pub async fn transfer(
        &self,
        id: &CallId,
        transfer: &TransferRequest,
    ) -> Result<(), GraphError> {
        self.send(&request::transfer(id, transfer)?).await
    }

    /// Keeps a call from being ended as inactive.
    pub async fn keep_alive(&self, id: &CallId) -> Result<(), GraphError> {
        self.send(&request::keep_alive(id)).await
    }

    /// Mutes the application in a group call.
    pub async fn mute(
        &self,
        id: &CallId,
        client_context: Option<&str>,
    ) -> Result<CommsOperation, GraphError> {
        self.send(&request::mute(id, client_context)?).await
    }

    /// Takes the application's mute back.
    pub async fn unmute(
        &self,
        id: &CallId,
        client_context: Option<&str>,
    ) -> Result<CommsOperation, GraphError> {
        self.send(&request::unmute(id, client_context)?).await
    }

    /// Plays prompts in a call with service-hosted media.
    pub async fn play_prompt(
        &self,
        id: &CallId,
        prompts: &PlayPromptRequest,
    ) -> Result<CommsOperation, GraphError> {
        self.send(&request::play_prompt(id, prompts)?).await
    }

    /// Asks for a notification per key pressed, in a call with service-hosted media.
    pub async fn subscribe_to_tone(
        &self,
        id: &CallId,
        client_context: Option<&str>,
    ) -> Result<CommsOperation, GraphError> {
        self.send(&request::subscribe_to_tone(id, client_context)?)
            .await
    }

    /// Sends any request of [`request`], which has a function for every operation; the methods
    /// above are the ones a call can't do without.
    ///
    /// ```no_run
    /// # async fn f(client: switchboard_signaling::client::GraphClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use switchboard_signaling::request::{participants, presence, presence::Whose};
    ///
    /// let call = "57dab8b1-894c-409a-b240-bd8beae78896".parse()?;
    /// let everyone = client.list(&participants::list(&call)).await?;
    /// let user = Whose::User("fa8bf3dc-eca7-46b7-bad1-db199b62afc3".parse()?);
    /// let presence = client.send(&presence::get(&user)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn send<T: Reply>(&self, request: &GraphRequest<T>) -> Result<T, GraphError> {
        let mut bearer = self.inner.tokens.bearer().await?;
        let (mut replaced, mut retries) = (false, 0);
        loop {
            self.inner.keep_limits(request).await?;
            let response = self.inner.exchange(request, &bearer).await?;
            let asked = retry_after(&response.headers, clock::wall());
            let Response {
                status,
                headers,
                body,
            } = response;
            let error = match request.interpret(status, &headers, &body, asked) {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            if status == StatusCode::UNAUTHORIZED && !replaced {
                bearer = self.inner.tokens.replace(&bearer).await?;
                replaced = true;
                continue;
            }
            let policy = &self.inner.config.retry;
            match policy.wait(retries, status, asked, self.inner.http.chance()) {
                Some(wait) if request.repeatable => tokio::time::sleep(wait).await,
                _ => return Err(error),
            }
            retries += 1;
        }
    }
}

impl Inner {
    /// Waits for the request's share of the documented limits.
    async fn keep_limits<T>(&self, request: &GraphRequest<T>) -> Result<(), GraphError> {
        let patience = self.config.retry.max_wait;
        match self.limiter.take(clock::now(), &request.path, patience) {
            Ok(Duration::ZERO) => Ok(()),
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(wait) => Err(GraphError::Limited {
                operation: request.operation,
                wait,
            }),
        }
    }

    async fn exchange<T>(
        &self,
        request: &GraphRequest<T>,
        bearer: &Bearer,
    ) -> Result<Response, GraphError> {
        // Not entered: what libraries make of the exchange is of no trace of ours.
        let span = spans::exchange(request.operation);
        let answered = self.send_once(request, bearer).await;
        spans::exchanged(&span, answered.as_ref().map(|response| response.status));
        answered
    }

    async fn send_once<T>(
        &self,
        request: &GraphRequest<T>,
        bearer: &Bearer,
    ) -> Result<Response, GraphError> {
        let id = Uuid::new_v4();
        let mut builder = self
            .http
            .client()
            .request(
                request.method.clone(),
                self.url(&request.path, request.query.as_deref()),
            )
            .header(AUTHORIZATION, authorization(bearer)?)
            .header(ACCEPT, "application/json")
            .header("client-request-id", id.to_string());
        if let Some(body) = &request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let failed = |error: &SendError| self.transport_error(request.operation, error);
        let response = self
            .http
            .send(builder)
            .await
            .map_err(|error| failed(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let limit = self.config.max_response_bytes;
        let body =
            http_client::read_limited(response, limit)
                .await
                .map_err(|error| match error {
                    ReadError::TooLarge => GraphError::BodyTooLarge {
                        operation: request.operation,
                        limit,
                    },
                    ReadError::Broken(error) => failed(&error.into()),
                })?;
        tracing::debug!(operation = request.operation, %status, client_request_id = %id, "Graph answered");
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// The base address with a path of ours after it: never an address from outside.
    fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{base}{path}"));
        url.set_query(query);
        url
    }

    fn transport_error(&self, operation: &'static str, error: &SendError) -> GraphError {
        let cause = error.cause();
        if error.is_connect() {
            GraphError::Connect { operation, cause }
        } else if error.is_timeout() {
            GraphError::TimedOut {
                operation,
                limit: self.config.timeout,
            }
        } else {
            GraphError::Interrupted { operation, cause }
        }
    }
}

fn authorization(bearer: &Bearer) -> Result<HeaderValue, TokenError> {
    let text = format!("Bearer {}", bearer.secret().expose_secret());
    let mut value = HeaderValue::try_from(text).map_err(|_| TokenError::Malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

fn base_of(config: &GraphConfig) -> Result<Url, ConfigError> {
    let example = "https://graph.microsoft.com/v1.0";
    http_client::base_url("base_url", &config.base_url, example)
}
