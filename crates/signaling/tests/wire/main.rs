//! What each operation puts on the wire: method, path, body and the status of success, in the
//! shape of the API reference's examples.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

mod calls;
mod media;
mod meetings;
mod participants;
mod presence;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use switchboard_signaling::request::{GraphRequest, InvalidRequest};

pub(crate) const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
pub(crate) const PARTICIPANT: &str = "2765eb15-01f8-47c6-b12b-c32111a4a86f";
pub(crate) const USER: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
pub(crate) const TENANT: &str = "aa67bd4c-8475-432d-bd41-39f255720e0a";
pub(crate) const CONTEXT: &str = "d45324c1-fcb5-430a-902c-f20af696537c";
pub(crate) const CALLBACK: &str = "https://bot.contoso.com/callback";

pub(crate) fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

/// Requests written down one after the other.
#[derive(Default)]
pub(crate) struct Wire(String);

/// The same with its members by name: whether serde_json keeps the order they were
/// written in depends on what else is built.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(in_order).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            let members = sorted.into_iter();
            members
                .map(|(name, value)| (name.clone(), in_order(value)))
                .collect()
        }
        other => other.clone(),
    }
}

impl Wire {
    pub(crate) fn sent<T>(&mut self, what: &str, request: &GraphRequest<T>) {
        let query = request.query.as_ref();
        let query = query.map_or_else(String::new, |query| format!("?{query}"));
        let repeatable = if request.repeatable {
            ", repeatable"
        } else {
            ""
        };
        let colon = if what.is_empty() { "" } else { ": " };
        writeln!(
            self.0,
            "## {}{colon}{what}\n{} {}{query}\n→ {}{repeatable}",
            request.operation,
            request.method,
            request.path,
            request.expected.as_u16()
        )
        .unwrap();
        if let Some(body) = &request.body {
            writeln!(self.0, "{:#}", in_order(body)).unwrap();
        }
        self.0.push('\n');
    }

    pub(crate) fn checked<T>(
        &mut self,
        what: &str,
        request: Result<GraphRequest<T>, InvalidRequest>,
    ) {
        self.sent(what, &request.unwrap());
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
