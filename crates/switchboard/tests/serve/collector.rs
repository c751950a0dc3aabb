//! A collector of traces that keeps what it gets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

type Posts = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// Takes traces as long as it lives.
pub(crate) struct Collector {
    pub(crate) address: String,
    posts: Posts,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let posts = Posts::default();
        let routes = Router::new().route("/v1/traces", post(keep));
        let routes = routes.with_state(Arc::clone(&posts));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { address, posts }
    }

    /// All that came.
    pub(crate) fn traces(&self) -> Traces {
        let posts = self.posts.lock().unwrap();
        let mut all = Traces::default();
        for (headers, body) in posts.iter() {
            let _ = writeln!(all.text, "{headers:?}");
            all.text.push_str(&String::from_utf8_lossy(body));
            let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.unwrap_or_default();
                all.resource.extend(named(&resource.attributes));
                let scopes = of_resource.scope_spans.into_iter();
                all.spans.extend(scopes.flat_map(|scope| scope.spans));
            }
        }
        all
    }
}

async fn keep(State(posts): State<Posts>, headers: HeaderMap, body: Bytes) {
    posts.lock().unwrap().push((headers, body));
}

/// Attributes by their names, as text.
fn named(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(is) => Some(is.to_string()),
        other => Some(format!("{other:?}")),
    };
    let named = |attribute: &KeyValue| (attribute.key.clone(), text(attribute).unwrap_or_default());
    attributes.iter().map(named).collect()
}

/// What a collector got.
#[derive(Default)]
pub(crate) struct Traces {
    pub(crate) spans: Vec<Span>,
    pub(crate) resource: BTreeMap<String, String>,
    /// Headers and bodies as they came.
    text: String,
}

impl Traces {
    /// The one span of this name.
    pub(crate) fn only(&self, name: &str) -> &Span {
        let mut spans = self.spans.iter().filter(|span| span.name == name);
        let span = spans.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(spans.next().is_none(), "more than one {name}");
        span
    }

    /// The names of what was done in a span, each with its status or state, in order of time.
    pub(crate) fn within(&self, parent: &Span) -> Vec<String> {
        let inside = |span: &&Span| span.parent_span_id == parent.span_id;
        let mut children: Vec<&Span> = self.spans.iter().filter(inside).collect();
        children.sort_by_key(|span| span.start_time_unix_nano);
        let told = |span: &&Span| {
            assert_eq!(span.trace_id, parent.trace_id);
            let has = named(&span.attributes);
            let how = has.get("http.response.status_code");
            let how = how.or(has.get("notification.state"));
            format!("{} {}", span.name, how.map_or("", String::as_str))
        };
        children.iter().map(told).collect()
    }

    /// Nothing that came has any of `secrets` in it, and no attribute is one.
    pub(crate) fn have_nothing_of(&self, secrets: &[&str]) {
        for secret in secrets {
            assert!(!self.text.contains(secret), "{secret} was exported");
        }
        // Every token of Graph's and the emulator's is a JWT.
        assert!(!self.text.contains("eyJ"), "a token was exported");
    }
}

/// A span's attributes.
pub(crate) fn attributes(span: &Span) -> BTreeMap<String, String> {
    named(&span.attributes)
}
