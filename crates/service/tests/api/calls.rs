//! Live calls and health, as a client sees them.

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use switchboard_reminders::Target;
use switchboard_service::LiveCall;
use tower::ServiceExt as _;

use crate::site::Site;

/// Two begin at a time.
pub(crate) fn call(number: i64) -> LiveCall {
    let start: Timestamp = "2026-03-01T11:00:00Z".parse().unwrap();
    LiveCall {
        id: format!("call-{number}"),
        application: "app".to_owned(),
        incoming: number % 2 == 0,
        since: start + (number / 2).minutes(),
        state: "established".to_owned(),
        flow: "desk".to_owned(),
        participants: 2,
        peer: Some(Target::phone("+4915112345678").unwrap()),
    }
}

async fn site() -> Site {
    let site = Site::start().await;
    *site.switch.calls.lock().unwrap() = (0..5).rev().map(call).collect();
    site
}

#[tokio::test]
async fn pages_are_complete_and_in_order() {
    let site = site().await;
    let (mut path, mut seen) = ("/calls?limit=2".to_owned(), Vec::new());
    loop {
        let page = site.get(&path).await;
        assert_eq!(page.status, StatusCode::OK);
        let calls = page.body["calls"].as_array().unwrap().iter();
        seen.push(calls.map(|call| call["id"].clone()).collect::<Vec<_>>());
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        path = format!("/calls?limit=2&after={next}");
    }
    assert_eq!(
        json!(seen),
        json!([["call-0", "call-1"], ["call-2", "call-3"], ["call-4"]])
    );
    for query in ["limit=0", "limit=501", "after=x", "after=x_y", "sort=id"] {
        site.get(&format!("/calls?{query}")).await.is_problem(400);
    }
}

#[tokio::test]
async fn numbers_are_for_writers() {
    let site = site().await;
    let looked = site.get("/calls?limit=1").await;
    insta::assert_json_snapshot!(looked.body["calls"][0], @r#"
    {
      "id": "call-0",
      "instance": "one",
      "application": "app",
      "direction": "incoming",
      "since": "2026-03-01T11:00:00Z",
      "state": "established",
      "flow": "desk",
      "participants": 2
    }
    "#);
    let request = site.ask("GET", "/calls?limit=1", &site.writer);
    let written = site.send(request, "").await;
    assert_eq!(written.body["calls"][0]["phone"], "+4915112345678");
}

#[tokio::test]
async fn writers_hang_up_what_is_there() {
    let site = site().await;
    let hang_up = |id: &str, key: &str| {
        let request = site.ask("DELETE", &format!("/calls/{id}"), key);
        site.send(request, "")
    };
    hang_up("call-1", &site.reader).await.is_problem(403);
    hang_up("call-9", &site.writer).await.is_problem(404);
    hang_up("%00", &site.writer).await.is_problem(404);
    assert!(site.switch.hung_up.lock().unwrap().is_empty());
    let done = hang_up("call-1", &site.writer).await;
    assert_eq!(done.status, StatusCode::ACCEPTED);
    assert_eq!(*site.switch.hung_up.lock().unwrap(), ["call-1"]);
}

#[tokio::test]
async fn figures_are_told_without_a_database_too() {
    let site = site().await;
    let figures = async || {
        let request = site.ask("GET", "/metrics", &site.reader);
        let request = request.body(Body::empty()).unwrap();
        let response = site.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let good = figures().await;
    assert!(good.contains("switchboard_calls 5\n") && good.contains("switchboard_open 1\n"));
    assert!(good.contains("switchboard_database_up 1\n"));
    assert!(good.contains("switchboard_reminders{state=\"waiting\"} 0\n"));
    site.store.close().await;
    let bad = figures().await;
    assert!(bad.contains("switchboard_calls 5\n") && bad.contains("switchboard_sandbox_info"));
    assert!(bad.contains("switchboard_database_up 0\n"));
    assert!(bad.contains("switchboard_webhook_requests_total{outcome=\"accepted\"} 7\n"));
    assert!(!bad.contains("switchboard_reminders"), "{bad}");
}

#[tokio::test]
async fn health_is_told_without_a_database_too() {
    let site = site().await;
    let mut good = site.get("/health").await;
    good.body["version"] = json!("[version]");
    let wanted = json!({
        "instance": "one", "version": "[version]", "open": true, "calls": 5,
        "sandbox": "none", "database": "ok",
        "reminders": {"waiting": 0, "calling": 0, "done": 0, "lateSeconds": 0.0},
        "instances": [],
    });
    assert_eq!(good.body, wanted);
    site.store.close().await;
    let bad = site.get("/health").await;
    assert_eq!(bad.status, StatusCode::OK);
    assert_eq!(bad.body["database"], "unavailable");
    assert_eq!(bad.body["calls"], 5);
    let nobody = site.send(Request::get("/api/v1/health"), "").await;
    nobody.is_problem(401);
}
