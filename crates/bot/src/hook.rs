//! Web hooks: a question to a service of the operator's, with what a call collected.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use reqwest::header::HeaderValue;
use reqwest::{StatusCode, redirect};
use serde::Serialize;
use serde_json::Value;
use switchboard_media::wav;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::prompts::Sound;

/// Longest answer read.
const MAX_ANSWER: usize = 64 * 1024;
/// Longest recording fetched: Graph's two minutes are under 4 MB.
const MAX_RECORDING: usize = 10 * 1024 * 1024;
/// Samples of a piece that is sent.
const PIECE: usize = 4096;
/// The flow's own time-out is at most ten minutes; nothing holds a connection longer.
const LIMIT: Duration = Duration::from_secs(600);

/// Asks services. Follows no redirects, so that what was collected stays where the
/// flow sends it.
#[derive(Debug, Clone)]
pub(crate) struct Hooks(reqwest::Client);

/// What is posted.
pub(crate) struct Question<'a> {
    pub(crate) call: &'a str,
    pub(crate) node: &'a str,
    pub(crate) caller: Option<&'a str>,
    pub(crate) number: Option<&'a str>,
    pub(crate) values: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize)]
struct Body<'a> {
    call: &'a str,
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<&'a str>,
    values: std::collections::BTreeMap<&'a str, &'a str>,
}

/// Why there is no answer. The texts hold no address and nothing that was posted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    #[error("the service can't be reached: {0}")]
    Unreachable(String),
    #[error("the service answered {0}")]
    Status(StatusCode),
    #[error("the answer is too long")]
    TooLong,
    #[error("the answer is not a JSON object with a \"result\"")]
    Answer,
}

impl Question<'_> {
    /// The body, which may hold a PIN: wiped when it has been sent.
    pub(crate) fn body(&self) -> Zeroizing<Vec<u8>> {
        let body = Body {
            call: self.call,
            node: self.node,
            caller: self.caller,
            number: self.number,
            values: self.values.iter().copied().collect(),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        // Strings always serialise.
        let _ = serde_json::to_writer(&mut *bytes, &body);
        bytes
    }
}

impl Hooks {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(LIMIT)
            .build()
            .map(Self)
    }

    /// The same with a client that is there.
    pub(crate) fn with(client: reqwest::Client) -> Self {
        Self(client)
    }

    /// Posts `body` and gives the answer's `result`, empty if it has none.
    pub(crate) async fn ask(
        &self,
        url: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<String, HookError> {
        let request = self.0.post(url).header("content-type", "application/json");
        let mut response = request
            .body(body.to_vec())
            .send()
            .await
            .map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(HookError::Status(response.status()));
        }
        result(&read(&mut response, MAX_ANSWER).await?)
    }

    /// Posts what a caller said as a stream (WAV), and gives the answer's `result`.
    pub(crate) fn deliver(
        &self,
        url: &str,
        question: &Question<'_>,
        sound: Arc<Sound>,
    ) -> impl Future<Output = Result<String, HookError>> + Send + use<> {
        let mut request = self.0.post(url).header("content-type", "audio/wav");
        let told = [
            ("switchboard-call", Some(question.call)),
            ("switchboard-node", Some(question.node)),
            ("switchboard-caller", question.caller),
            ("switchboard-number", question.number),
        ];
        for (name, value) in told {
            // What can't be said in a header is left out.
            let value = value.and_then(|value| HeaderValue::from_str(value).ok());
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let body = reqwest::Body::wrap_stream(stream::iter(wav_of(sound).map(Ok::<_, Infallible>)));
        async move {
            let mut response = request.body(body).send().await.map_err(unreachable)?;
            if !response.status().is_success() {
                return Err(HookError::Status(response.status()));
            }
            result(&read(&mut response, MAX_ANSWER).await?)
        }
    }

    /// Fetches a recording with its own token.
    pub(crate) async fn fetch(
        &self,
        location: Url,
        token: &str,
    ) -> Result<Zeroizing<Vec<u8>>, HookError> {
        let request = self.0.get(location).bearer_auth(token);
        let mut response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(HookError::Status(response.status()));
        }
        read(&mut response, MAX_RECORDING).await
    }
}

/// A WAV (16 bits, mono) piece by piece.
fn wav_of(sound: Arc<Sound>) -> impl Iterator<Item = Vec<u8>> {
    let count = sound.samples.len();
    let header = wav::header(sound.rate, count);
    let pieces = (0..count).step_by(PIECE).map(move |from| {
        let samples = sound.samples[from..count.min(from + PIECE)].iter();
        let values = samples.map(|x| (x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16);
        values.flat_map(i16::to_le_bytes).collect()
    });
    std::iter::once(header).chain(pieces)
}

async fn read(
    response: &mut reqwest::Response,
    longest: usize,
) -> Result<Zeroizing<Vec<u8>>, HookError> {
    let announced = response.content_length().unwrap_or_default();
    if announced > longest as u64 {
        return Err(HookError::TooLong);
    }
    // Reserved at once where the size is known, so that no unwiped copy is left.
    let mut bytes = Zeroizing::new(Vec::with_capacity(announced as usize));
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > longest {
            return Err(HookError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn result(bytes: &[u8]) -> Result<String, HookError> {
    if bytes.is_empty() {
        return Ok(String::new());
    }
    let answer: Value = serde_json::from_slice(bytes).map_err(|_| HookError::Answer)?;
    match answer.as_object().map(|answer| answer.get("result")) {
        Some(None) => Ok(String::new()),
        Some(Some(Value::String(result))) => Ok(result.clone()),
        _ => Err(HookError::Answer),
    }
}

fn unreachable(error: reqwest::Error) -> HookError {
    HookError::Unreachable(error.without_url().to_string())
}

/// `https`, or `http` that doesn't leave this machine.
pub(crate) fn is_protected(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    };
    url.has_host() && (url.scheme() == "https" || url.scheme() == "http" && local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_the_documented_shape() {
        let question = Question {
            call: "c1",
            node: "ask",
            caller: None,
            number: Some("+31201234567"),
            values: vec![("pin", "4711")],
        };
        let body = question.body();
        let text = std::str::from_utf8(&body).unwrap();
        assert_eq!(
            text,
            r#"{"call":"c1","node":"ask","number":"+31201234567","values":{"pin":"4711"}}"#
        );
    }

    #[test]
    fn answers_are_objects_with_or_without_a_result() {
        let good = |text: &str| result(text.as_bytes()).ok();
        assert_eq!(
            good(r#"{"result":"right","more":[1]}"#).as_deref(),
            Some("right")
        );
        assert_eq!(good("{}").as_deref(), Some(""));
        assert_eq!(good("").as_deref(), Some(""));
        for wrong in ["[\"right\"]", "right", "{\"result\":1}", "{", "null"] {
            assert!(good(wrong).is_none(), "{wrong}");
        }
    }
}
