#![allow(clippy::unwrap_used)]

mod calls;
mod people;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::InvalidRequest;
use crate::request::GraphRequest;

/// What a request breaks, as `field is value`.
fn broken<T>(request: Result<GraphRequest<T>, InvalidRequest>) -> String {
    match request {
        Ok(_) => "nothing".to_owned(),
        Err(error) => format!("{} is {}", error.field, error.value),
    }
}

fn body<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

/// `base` with one member replaced.
fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[name] = value;
    changed
}

/// Asserts that a good body passes and what each change of one member breaks.
fn table(send: impl Fn(Value) -> String, good: &Value, changes: Vec<(&str, Value, &str)>) {
    assert_eq!(send(good.clone()), "nothing");
    for (name, value, expected) in changes {
        let shown = value.to_string();
        assert_eq!(send(with(good, name, value)), expected, "{name}: {shown}");
    }
}

fn call() -> crate::types::CallId {
    "1".parse().unwrap()
}

fn user(id: &str) -> Value {
    json!({"identity": {"user": {"id": id}}})
}

fn phone(number: &str) -> Value {
    json!({"identity": {"phone": {"id": number}}})
}

fn prompt(uri: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": {"uri": uri}})
}
