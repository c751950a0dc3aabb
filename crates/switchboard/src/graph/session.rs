//! Where requests go and how answers are shown.

use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use switchboard_signaling::client::{GraphClient, GraphConfig};
use switchboard_signaling::cloud::Version;
use switchboard_signaling::request::{GraphRequest, Reply};
use switchboard_signaling::token::{Credential, TokenConfig, TokenProvider};
use switchboard_signaling::types::{CommsOperation, Page};

use super::TargetArgs;
use super::input::{read_file, secret};
use crate::Failure;
use crate::output::say_json;

const SECRET_VARIABLE: &str = "SWITCHBOARD_CLIENT_SECRET";
const TOKEN_VARIABLE: &str = "SWITCHBOARD_GRAPH_TOKEN";

/// An emulator that was started just before has this long to print its line.
const STARTING: Duration = Duration::from_secs(5);
/// Between two looks for it.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Session {
    base: String,
    tenant: Option<String>,
    /// `None` for a dry run.
    client: Option<GraphClient>,
}

/// What the line of `switchboard emulate` tells that is needed here.
#[derive(Deserialize)]
struct Ready {
    graph: String,
    token_url: String,
    tenant_id: String,
    client_id: String,
    client_secret: SecretString,
}

impl Session {
    pub(super) async fn open(args: &TargetArgs) -> Result<Self, Failure> {
        let ready = match &args.ready {
            Some(path) => Some(ready(path).await?),
            None => None,
        };
        let version = if args.beta {
            Version::Beta
        } else {
            Version::V1
        };
        let base = match (&ready, &args.base_url) {
            (Some(ready), _) => ready.graph.clone(),
            (None, Some(url)) => url.to_string(),
            (None, None) => args.cloud.base_url(version),
        };
        let tenant = ready.as_ref().map(|ready| ready.tenant_id.clone());
        let tenant = tenant.or_else(|| args.tenant.clone());
        let client = if args.dry_run {
            None
        } else {
            Some(client(&base, args, ready)?)
        };
        Ok(Self {
            base,
            tenant,
            client,
        })
    }

    /// The tenant, for requests that name it.
    pub(super) fn tenant(&self) -> Result<&str, Failure> {
        let tenant = self.tenant.as_deref();
        tenant.ok_or_else(|| missing("--tenant", "SWITCHBOARD_TENANT_ID").into())
    }

    /// Sends a request and prints the answer, `{}` if it has no body.
    pub(super) async fn send<T: Reply + Serialize>(
        &self,
        request: &GraphRequest<T>,
    ) -> Result<(), Failure> {
        match &self.client {
            Some(client) => answer(&client.send(request).await?),
            None => self.show(request),
        }
    }

    /// Sends a request for a list and prints all of it as an array.
    pub(super) async fn list<T: DeserializeOwned + Serialize>(
        &self,
        request: &GraphRequest<Page<T>>,
    ) -> Result<(), Failure> {
        match &self.client {
            Some(client) => answer(&client.list(request).await?),
            None => self.show(request),
        }
    }

    /// Fetches a recording into memory and tells of its size: sound is never written anywhere.
    pub(super) async fn recording(&self, operation: &CommsOperation) -> Result<(), Failure> {
        let Some(client) = &self.client else {
            let location = operation.recording_location.as_ref();
            let url = location.map(|location| location.expose().to_owned());
            return Ok(say_json(&json!({"method": "GET", "url": url}))?);
        };
        let mut recording = client.recording(operation).await?;
        let mut bytes = 0;
        while let Some(part) = recording.chunk().await? {
            bytes += part.len();
        }
        let content_type = recording.content_type();
        Ok(say_json(
            &json!({"bytes": bytes, "contentType": content_type}),
        )?)
    }

    fn show<T>(&self, request: &GraphRequest<T>) -> Result<(), Failure> {
        let query = request.query.as_ref();
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        let base = self.base.trim_end_matches('/');
        let mut shown = json!({
            "operation": request.operation,
            "method": request.method.as_str(),
            "url": format!("{base}{}{query}", request.path),
        });
        if let Some(body) = &request.body {
            shown["body"] = body.clone();
            hide(&mut shown["body"], &["passcode", "token", "blob"]);
        }
        Ok(say_json(&shown)?)
    }
}

/// Reads the line of an emulator, which may be about to print it.
async fn ready(path: &Path) -> Result<Ready, Failure> {
    let until = Instant::now() + STARTING;
    loop {
        let text = read_file(path);
        let whole = text.as_ref().is_ok_and(|text| text.contains('\n'));
        // Standard input is read once.
        if whole || path == Path::new("-") || Instant::now() >= until {
            // After it may stand the report of scenarios.
            let text = text?;
            let first = serde_json::Deserializer::from_str(&text).into_iter().next();
            return first.and_then(Result::ok).ok_or_else(|| {
                let path = path.display();
                format!("{path} does not hold the line of `switchboard emulate`").into()
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn answer(reply: &impl Serialize) -> Result<(), Failure> {
    let mut value = serde_json::to_value(reply)?;
    if value.is_null() {
        value = json!({});
    }
    hide(&mut value, &["toneInfo", "blob"]);
    Ok(say_json(&value)?)
}

/// Replaces what shall not be printed: secrets, and keys that a caller pressed.
fn hide(value: &mut Value, names: &[&str]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, names)),
        Value::Object(members) => {
            for (name, member) in members {
                if names.contains(&name.as_str()) && !member.is_null() {
                    *member = json!("(hidden)");
                } else {
                    hide(member, names);
                }
            }
        }
        _ => {}
    }
}

fn client(base: &str, args: &TargetArgs, ready: Option<Ready>) -> Result<GraphClient, Failure> {
    let tokens = match ready {
        Some(ready) => emulated(ready),
        None => configured(args)?,
    };
    let config = GraphConfig {
        base_url: base.to_owned(),
        ..GraphConfig::default()
    };
    Ok(GraphClient::new(config, TokenProvider::new(tokens)?)?)
}

fn emulated(ready: Ready) -> TokenConfig {
    let end = format!("/{}/oauth2/v2.0/token", ready.tenant_id);
    let authority = ready.token_url.strip_suffix(&end);
    let authority = authority.unwrap_or(&ready.token_url).to_owned();
    let tokens = TokenConfig::new(ready.tenant_id, ready.client_id, ready.client_secret);
    TokenConfig {
        authority,
        ..tokens
    }
}

fn configured(args: &TargetArgs) -> Result<TokenConfig, Failure> {
    let authority = args.authority.as_ref().map(ToString::to_string);
    let tokens = match secret(args.token_file.as_deref(), TOKEN_VARIABLE)? {
        Some(token) => given(args, token),
        None => application(args)?,
    };
    Ok(TokenConfig {
        authority: authority.unwrap_or_else(|| args.cloud.authority().to_owned()),
        scope: args.cloud.scope(),
        ..tokens
    })
}

/// A token obtained elsewhere: nobody is asked for another, so that tenant and id don't matter.
fn given(args: &TargetArgs, token: SecretString) -> TokenConfig {
    let tenant = args.tenant.as_deref().unwrap_or("common");
    let id = args.client_id.clone().unwrap_or_default();
    let mut tokens = TokenConfig::new(tenant, id, token.clone());
    tokens.credential = Credential::Token(token);
    tokens
}

fn application(args: &TargetArgs) -> Result<TokenConfig, Failure> {
    let tenant = args.tenant.clone();
    let tenant = tenant.ok_or_else(|| missing("--tenant", "SWITCHBOARD_TENANT_ID"))?;
    let id = args.client_id.clone();
    let id = id.ok_or_else(|| missing("--client-id", "SWITCHBOARD_CLIENT_ID"))?;
    let secret = secret(args.secret_file.as_deref(), SECRET_VARIABLE)?;
    let secret = secret.ok_or_else(|| missing("--secret-file", SECRET_VARIABLE))?;
    Ok(TokenConfig::new(tenant, id, secret))
}

fn missing(option: &str, variable: &str) -> String {
    format!("{option} is missing: set it, or {variable}, or use --ready with the emulator")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_keys_pressed_are_hidden_wherever_they_are() {
        let mut value = json!([{
            "mediaConfig": {"blob": "b"}, "meetingInfo": {"passcode": "p", "joinMeetingId": "1"},
            "toneInfo": {"tone": "tone7"}, "subject": null,
        }]);
        hide(&mut value, &["blob", "passcode", "toneInfo"]);
        assert_eq!(
            value,
            json!([{
                "mediaConfig": {"blob": "(hidden)"},
                "meetingInfo": {"passcode": "(hidden)", "joinMeetingId": "1"},
                "toneInfo": "(hidden)", "subject": null,
            }])
        );
    }
}
