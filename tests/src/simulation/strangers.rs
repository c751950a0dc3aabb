//! Notifications that are of nobody's: strangers', and of things nobody knows.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use switchboard_signaling::carrier::CarryError;
use url::Url;

use super::record::Record;
use super::wire::{Between, Living, answer};
use super::world::{BOT, CLIENT};

/// Between two strangers.
const PAUSE: Duration = Duration::from_millis(50);
const MESSAGE: &str = "x-microsoft-skype-message-id";
/// A call that is nobody's.
const NO_CALL: &str = "00000000-0000-4000-8000-00000000dead";

/// As many strangers as the plan says: what they send is what the cloud would, but for the key.
pub(super) async fn knock(between: Arc<Between>, bot: Living) {
    for number in 0..between.plan.strangers {
        tokio::time::sleep(PAUSE).await;
        let living = bot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some((_, bot)), Some(request)) = (living, foreign(number))
            && let Ok((status, ..)) = answer(bot, request).await
        {
            between.record.count(&format!("stranger {status}"));
        }
    }
}

/// A notification signed by a key of its own.
fn foreign(number: u32) -> Option<reqwest::Request> {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "JWT", "kid": format!("key-{number}")}));
    let claims = part(json!({
        "aud": CLIENT,
        "iss": "https://api.botframework.com",
        "nbf": 1,
        "exp": 4_000_000_000_u64,
    }));
    let signature = URL_SAFE_NO_PAD.encode([7; 256]);
    let url = Url::parse(BOT).ok()?.join("api/calls").ok()?;
    let mut request = reqwest::Request::new(reqwest::Method::POST, url);
    let token = format!("Bearer {header}.{claims}.{signature}");
    let headers = request.headers_mut();
    headers.insert("authorization", HeaderValue::from_str(&token).ok()?);
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    *request.body_mut() = Some(incoming(number).to_string().into());
    Some(request)
}

fn incoming(number: u32) -> Value {
    let call = format!("00000000-0000-4000-8000-{number:012}");
    json!({"value": [{
        "changeType": "created",
        "resourceUrl": format!("/communications/calls/{call}"),
        "resourceData": {"@odata.type": "#microsoft.graph.call", "state": "incoming"},
    }]})
}

/// Where nobody has business.
const ASTRAY: &str = "https://elsewhere.example/v1.0/communications/calls";

/// What `request` tells, of a call that is nobody's, of a thing below its own call that no
/// schema knows, and once more with addresses elsewhere.
pub(super) async fn misaddress(
    record: &Record,
    bot: &axum::Router,
    request: &reqwest::Request,
) -> Result<(), CarryError> {
    let body = request.body().and_then(reqwest::Body::as_bytes);
    let body: Value = body
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default();
    let told = &body["value"][0];
    let url = told["resourceUrl"].as_str().unwrap_or_default();
    let below = url.trim_start_matches("/communications/calls/");
    let call = below.split('/').next().unwrap_or_default();
    let elsewhere = body.to_string().replace(call, NO_CALL);
    let strange = json!({"value": [{
        "changeType": "updated",
        "resourceUrl": format!("/communications/calls/{call}/moods/1"),
        "resourceData": {"@odata.type": "#microsoft.graph.mood", "state": "terminated"},
    }]});
    // The genuine one again, with addresses to lead the bot astray.
    let mut hostile = body.clone();
    let told = &mut hostile["value"][0];
    told["resource"] = json!(ASTRAY);
    for name in [
        "callbackUri",
        "@odata.id",
        "@odata.nextLink",
        "recordingLocation",
    ] {
        if told["resourceData"].is_object() {
            told["resourceData"][name] = json!(ASTRAY);
        }
    }
    let bodies = [elsewhere, strange.to_string(), hostile.to_string()];
    for (number, body) in bodies.into_iter().enumerate() {
        let mut copy = request.try_clone().ok_or(CarryError::Broken)?;
        let id = copy.headers().get(MESSAGE).and_then(|id| id.to_str().ok());
        let id = format!("{}-{number}", id.unwrap_or_default());
        let id = HeaderValue::from_str(&id).map_err(|_| CarryError::Broken)?;
        copy.headers_mut().insert(MESSAGE, id);
        copy.headers_mut().remove("content-length");
        *copy.body_mut() = Some(body.into());
        let (status, ..) = answer(bot.clone(), copy).await?;
        record.count(&format!("misaddressed {status}"));
    }
    Ok(())
}
