//! The client against a real HTTP server: lists in pages, recordings.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Redirect};
use axum::routing::{get, post};
use serde_json::json;
use switchboard_signaling::client::{GraphClient, GraphConfig, RecordingError};
use switchboard_signaling::error::GraphError;
use switchboard_signaling::request::{RecordingRefused, participants};
use switchboard_signaling::token::{Credential, TokenConfig, TokenProvider};
use switchboard_signaling::types::CommsOperation;

/// What the server saw: paths with the bearer token they came with.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

#[derive(Clone)]
struct Graph {
    origin: String,
    seen: Seen,
}

impl Graph {
    fn note(&self, what: &str, headers: &HeaderMap) {
        let bearer = headers["authorization"].to_str().unwrap().to_owned();
        self.seen.lock().unwrap().push((what.to_owned(), bearer));
    }
}

async fn token() -> impl IntoResponse {
    Json(json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "graph"}))
}

async fn list(
    State(graph): State<Graph>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> impl IntoResponse {
    let query = query.unwrap_or_default();
    graph.note(&query, &headers);
    let at = |page: &str| {
        format!(
            "{}/v1.0/communications/calls/1/participants?{page}",
            graph.origin
        )
    };
    match query.as_str() {
        "" => Json(
            json!({"value": [{"id": "a"}, {"id": "b"}], "@odata.nextLink": at("$skiptoken=2")}),
        ),
        "$skiptoken=2" => Json(json!({"value": [], "@odata.nextLink": at("$skiptoken=3")})),
        _ => Json(json!({"value": [{"id": "c"}]})),
    }
}

async fn elsewhere() -> impl IntoResponse {
    Json(json!({"value": [{"id": "a"}], "@odata.nextLink": "https://evil.example/v1.0/x"}))
}

async fn recording(State(graph): State<Graph>, headers: HeaderMap) -> impl IntoResponse {
    graph.note("recording", &headers);
    (
        [("content-type", "application/octet-stream")],
        vec![7_u8; 160_696],
    )
}

async fn too_large() -> impl IntoResponse {
    vec![0_u8; 9 * 1024 * 1024]
}

async fn serve() -> (GraphClient, Graph) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let graph = Graph {
        origin: origin.clone(),
        seen,
    };
    let router = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/v1.0/communications/calls/1/participants", get(list))
        .route("/v1.0/communications/calls/2/participants", get(elsewhere))
        .route("/recordings/1", get(recording))
        .route("/recordings/gone", get(|| async { StatusCode::NOT_FOUND }))
        .route(
            "/recordings/moved",
            get(|| async { Redirect::temporary("/recordings/1") }),
        )
        .route("/recordings/large", get(too_large))
        .with_state(graph.clone());
    tokio::spawn(async { axum::serve(listener, router).await });

    let mut tokens = TokenConfig::new("tenant", "client", "secret".to_owned().into());
    tokens.authority = origin.clone();
    let config = GraphConfig {
        base_url: format!("{origin}/v1.0"),
        ..GraphConfig::default()
    };
    let client = GraphClient::new(config, TokenProvider::new(tokens).unwrap()).unwrap();
    (client, graph)
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let (client, graph) = serve().await;
    let request = participants::list(&"1".parse().unwrap());
    let everyone = client.list(&request).await.unwrap();
    let ids: Vec<_> = everyone
        .iter()
        .filter_map(|one| one.id.as_deref())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let seen = graph.seen.lock().unwrap();
    let queries: Vec<_> = seen.iter().map(|(query, _)| query.as_str()).collect();
    assert_eq!(queries, ["", "$skiptoken=2", "$skiptoken=3"]);
}

#[tokio::test]
async fn a_page_elsewhere_is_not_fetched() {
    let (client, _) = serve().await;
    let request = participants::list(&"2".parse().unwrap());
    let error = client.list(&request).await.unwrap_err();
    assert!(matches!(error, GraphError::ForeignLink(_)), "{error}");
}

fn recorded(location: &str) -> CommsOperation {
    CommsOperation {
        recording_location: Some(location.into()),
        recording_access_token: Some("recording".into()),
        ..CommsOperation::default()
    }
}

#[tokio::test]
async fn a_recording_comes_in_parts_with_its_own_token() {
    let (client, graph) = serve().await;
    let operation = recorded(&format!("{}/recordings/1", graph.origin));
    let mut recording = client.recording(&operation).await.unwrap();
    assert_eq!(recording.content_type(), Some("application/octet-stream"));
    let mut length = 0;
    while let Some(part) = recording.chunk().await.unwrap() {
        assert!(part.iter().all(|byte| *byte == 7));
        length += part.len();
    }
    assert_eq!(length, 160_696);
    let seen = graph.seen.lock().unwrap();
    assert_eq!(
        *seen,
        [("recording".to_owned(), "Bearer recording".to_owned())]
    );
}

#[tokio::test]
async fn recordings_elsewhere_gone_moved_or_endless_are_errors() {
    let (client, graph) = serve().await;
    let fetch = async |path: &str| client.recording(&recorded(path)).await.unwrap_err();
    let here = |path: &str| format!("{}/recordings/{path}", graph.origin);

    let foreign = fetch("https://evil.example/recordings/1").await;
    assert!(
        matches!(
            foreign,
            RecordingError::Refused(RecordingRefused::Host { .. })
        ),
        "{foreign}"
    );
    for (path, expected) in [
        ("gone", StatusCode::NOT_FOUND),
        ("moved", StatusCode::TEMPORARY_REDIRECT),
    ] {
        let error = fetch(&here(path)).await;
        assert!(
            matches!(error, RecordingError::Status(status) if status == expected),
            "{error}"
        );
    }
    let large = fetch(&here("large")).await;
    assert!(matches!(large, RecordingError::TooLarge), "{large}");
    assert!(graph.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_from_elsewhere_is_used_as_it_is() {
    let (_, graph) = serve().await;
    let mut tokens = TokenConfig::new("common", "", String::new().into());
    tokens.credential = Credential::Token("delegated".to_owned().into());
    tokens.authority = "http://127.0.0.1:1".to_owned();
    let config = GraphConfig {
        base_url: format!("{}/v1.0", graph.origin),
        ..GraphConfig::default()
    };
    let client = GraphClient::new(config, TokenProvider::new(tokens).unwrap()).unwrap();
    let request = participants::list(&"1".parse().unwrap());
    assert_eq!(client.list(&request).await.unwrap().len(), 3);
    let seen = graph.seen.lock().unwrap();
    assert!(
        seen.iter().all(|(_, bearer)| bearer == "Bearer delegated"),
        "{seen:?}"
    );
}
