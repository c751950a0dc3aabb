//! Reminders, and what goes for every request.

use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::{Value, json};
use switchboard_reminders::{Limits, Terms};
use switchboard_service::api;

use crate::site::{Site, good};

#[tokio::test]
async fn a_reminder_is_made_and_found_and_taken_back() {
    let site = Site::start().await;
    let made = site.create(&good()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let location = made.headers["location"].to_str().unwrap();
    let id = made.body["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/v1/reminders/{id}"));
    let mut shown = made.body.clone();
    shown["id"] = json!("[id]");
    insta::assert_json_snapshot!(shown);
    let mut found = site.get(&format!("/reminders/{id}")).await;
    assert_eq!(found.status, StatusCode::OK);
    // Only who asked is told how the time was found.
    found.body["atNote"] = made.body["atNote"].clone();
    assert_eq!(found.body, made.body);
    let gone = site
        .send(
            site.ask("DELETE", &format!("/reminders/{id}"), &site.writer),
            "",
        )
        .await;
    assert_eq!(
        (gone.status, &gone.body["outcome"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    let again = site
        .send(
            site.ask("DELETE", &format!("/reminders/{id}"), &site.writer),
            "",
        )
        .await;
    again.is_problem(409);
}

#[tokio::test]
async fn a_call_under_way_is_cancelled_later() {
    let site = Site::start().await;
    let id = site.create(&good()).await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let terms = Terms {
        lease: Duration::from_secs(30),
        call: Duration::from_secs(60),
    };
    let due = "2026-03-29T01:30:00Z".parse().unwrap();
    assert_eq!(
        site.store
            .claim("a", due, terms, Limits::NONE, 1)
            .await
            .unwrap()
            .len(),
        1
    );
    let cancelled = site
        .send(
            site.ask("DELETE", &format!("/reminders/{id}"), &site.writer),
            "",
        )
        .await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED);
    assert_eq!(cancelled.body["state"], "calling");
    assert_eq!(cancelled.body["cancelling"], true);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let site = Site::start().await;
    let path = "/api/v1/reminders";
    let nobody = site.send(Request::get(path), "").await;
    nobody.is_problem(401);
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    for wrong in [
        "Bearer ",
        "Bearer swb_x",
        "Basic dXNlcjpwYXNz",
        &site.reader,
    ] {
        let request = Request::get(path).header("authorization", wrong);
        site.send(request, "").await.is_problem(401);
    }
    let twice = site
        .ask("GET", "/reminders", &site.reader)
        .header("authorization", format!("Bearer {}", site.writer));
    site.send(twice, "").await.is_problem(401);
    let reader = site.ask("POST", "/reminders", &site.reader);
    site.send(reader, good().to_string()).await.is_problem(403);
    assert_eq!(site.store.counts().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn everything_wrong_is_named() {
    let site = Site::start().await;
    let wrong = json!({"phone": "0151", "at": "2026-02-01T09:00", "prompt": "vist"});
    let answer = site.create(&wrong).await;
    answer.is_problem(422);
    assert_eq!(answer.told().len(), 3, "{:?}", answer.told());
    let unreadable = [
        "",
        "[1]",
        "{\"phone\": 1}",
        "{\"fone\": \"+4915112345678\"}",
        "{\"at\": \"2026-03-29T02:30\"",
        "\u{1}",
    ];
    for body in unreadable {
        site.send(site.post("/reminders"), body)
            .await
            .is_problem(400);
    }
    let long = "x".repeat(70_000);
    site.send(site.post("/reminders"), long)
        .await
        .is_problem(413);
    site.get("/reminders/7").await.is_problem(404);
    site.get("/reminders/6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1")
        .await
        .is_problem(404);
    site.get("/nowhere").await.is_problem(404);
    site.send(site.ask("PUT", "/reminders", &site.writer), "")
        .await
        .is_problem(405);
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        "state=asleep",
        "after=x",
        "sort=id",
    ] {
        site.get(&format!("/reminders?{query}"))
            .await
            .is_problem(400);
    }
}

#[tokio::test]
async fn a_request_may_be_sent_again() {
    let site = Site::start().await;
    let send = |key: &str, body: Value| {
        let request = site.post("/reminders").header("idempotency-key", key);
        site.send(request, body.to_string())
    };
    let first = send("a", good()).await;
    let again = send("a", good()).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body, first.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let mut other = good();
    other["reference"] = json!("visit 8");
    send("a", other).await.is_problem(422);
    assert_ne!(send("b", good()).await.body["id"], first.body["id"]);
    send("", good()).await.is_problem(400);
    send(&"k".repeat(201), good()).await.is_problem(400);
    assert_eq!(site.store.counts().await.unwrap().waiting, 2);
}

/// A client that was cut off asks again much later than `at`.
#[tokio::test]
async fn a_request_may_be_sent_again_when_its_time_is_over() {
    let site = Site::start().await;
    let send = |key: &str| {
        let request = site.post("/reminders").header("idempotency-key", key);
        site.send(request, good().to_string())
    };
    let import = |key: &str| {
        let request = site
            .post("/reminders/import?keepGood=true")
            .header("content-type", "text/csv")
            .header("idempotency-key", key);
        site.send(request, ROWS)
    };
    let (made, imported) = (send("a").await, import("file").await);
    site.clock.set("2026-06-01T00:00:00Z");
    let again = send("a").await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.body);
    assert_eq!(again.body, made.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    send("b").await.is_problem(422);
    // With the same errors as then, not with those of rows that are late now.
    let again = import("file").await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.body);
    assert_eq!(again.body, imported.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    import("another").await.is_problem(422);
    assert_eq!(site.store.counts().await.unwrap().waiting, 2);
}

#[tokio::test]
async fn lists_have_pages() {
    let site = Site::start().await;
    for number in 0..5 {
        let mut body = good();
        body["reference"] = json!(format!("visit {}", number % 2));
        site.create(&body).await;
    }
    let (mut path, mut sizes) = ("/reminders?limit=2".to_owned(), Vec::new());
    loop {
        let page = site.get(&path).await;
        sizes.push(page.body["reminders"].as_array().unwrap().len());
        let Some(next) = page.body["next"].as_str() else {
            break;
        };
        path = format!("/reminders?limit=2&after={next}");
    }
    assert_eq!(sizes, [2, 2, 1]);
    let some = site
        .get("/reminders?reference=visit%201&state=waiting")
        .await;
    assert_eq!(some.body["reminders"].as_array().unwrap().len(), 2);
    let none = site.get("/reminders?outcome=confirmed").await;
    assert_eq!(none.body, json!({"reminders": []}));
}

const ROWS: &str = "phone,at,text\n\
    +4915112345678,2026-05-01T09:00,Hello\n\
    +49 151,2026-05-01T09:00,Hello\n\
    +4915112345679,2026-05-01T09:00,\n";

#[tokio::test]
async fn files_are_kept_whole_or_not_at_all() {
    let site = Site::start().await;
    let refused = site.import("/reminders/import", ROWS).await;
    refused.is_problem(422);
    let told = refused.told();
    assert!(
        told[0].starts_with("3: phone: a phone number is"),
        "{told:?}"
    );
    assert_eq!(told[1], "4: text: either 'text' or 'prompt' must be given");
    assert_eq!(site.store.counts().await.unwrap().waiting, 0);
    let kept = site.import("/reminders/import?keepGood=true", ROWS).await;
    assert_eq!(kept.status, StatusCode::CREATED);
    assert_eq!(kept.body["created"].as_array().unwrap().len(), 1);
    assert_eq!(kept.told(), told);
    assert_eq!(site.store.counts().await.unwrap().waiting, 1);
    let empty = site
        .import("/reminders/import?keepGood=true", "phone,at\n")
        .await;
    empty.is_problem(422);
    site.import("/reminders/import?keepgood=true", ROWS)
        .await
        .is_problem(400);
    let json = site
        .post("/reminders/import")
        .header("content-type", "application/json");
    site.send(json, ROWS).await.is_problem(415);
}

#[tokio::test]
async fn a_file_sent_again_makes_nothing_new() {
    let site = Site::start().await;
    let send = || {
        let request = site
            .post("/reminders/import?keepGood=true")
            .header("content-type", "text/csv")
            .header("idempotency-key", "file 1");
        site.send(request, ROWS)
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(site.store.counts().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn a_locked_database_is_503_and_nothing_is_half_written() {
    use sqlx::{ConnectOptions as _, Executor as _};
    let site = Site::start().await;
    let file = site.directory.path().join("reminders.db");
    let mut other = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&file)
        .connect()
        .await
        .unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let refused = site.create(&good()).await;
    refused.is_problem(503);
    assert_eq!(refused.headers["retry-after"], "5");
    assert!(!refused.body.to_string().contains("reminders.db"));
    site.import("/reminders/import?keepGood=true", ROWS)
        .await
        .is_problem(503);
    // Looking is still possible.
    assert_eq!(site.get("/reminders").await.body, json!({"reminders": []}));
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(site.create(&good()).await.status, StatusCode::CREATED);
    assert_eq!(site.store.counts().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn the_description_is_served_and_describes_what_is_there() {
    let site = Site::start().await;
    let served = site.send(Request::get("/api/v1/openapi.json"), "").await;
    assert_eq!(served.status, StatusCode::OK);
    let made = serde_json::to_value(api::description()).unwrap();
    assert_eq!(served.body, made);
    assert!(made["openapi"].as_str().unwrap().starts_with("3.1."));
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
    if std::env::var_os("SWITCHBOARD_WRITE_OPENAPI").is_some() {
        std::fs::write(published, &text).unwrap();
    }
    let there = std::fs::read_to_string(published).unwrap_or_default();
    assert!(
        there == text,
        "docs/openapi.json is out of date: run this test with SWITCHBOARD_WRITE_OPENAPI=1"
    );
    references_resolve(&made, &made);
    // All described operations want a key, and are there.
    for (path, operations) in made["paths"].as_object().unwrap() {
        let id = "6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1";
        let path = path.replace("{id}", id).replace("{room}", id);
        for (method, operation) in operations.as_object().unwrap() {
            let request = Request::builder()
                .method(method.to_uppercase().as_str())
                .uri(&path);
            site.send(request, "").await.is_problem(401);
            assert!(
                operation["responses"].get("401").is_some(),
                "{method} {path}"
            );
        }
    }
}

/// Every `$ref` names something that is there.
fn references_resolve(whole: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                let pointer = to.strip_prefix('#').unwrap();
                assert!(whole.pointer(pointer).is_some(), "{to}");
            }
            members
                .values()
                .for_each(|part| references_resolve(whole, part));
        }
        Value::Array(parts) => parts
            .iter()
            .for_each(|part| references_resolve(whole, part)),
        _ => {}
    }
}
