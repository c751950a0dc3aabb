//! Front desks: who calls is judged before anybody answers.

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use switchboard_tests::Failure;
use switchboard_tests::cloud::Cloud;
use switchboard_tests::service::Around;
use switchboard_tests::stage::{Stage, blocks, doc, guide, serve};

/// The guide's flow, with a service that knows who calls.
async fn desk() -> Result<String, Failure> {
    let judge = async |Json(question): Json<Value>| {
        let caller = question["caller"].as_str().unwrap_or_default();
        let result = match caller.get(..3) {
            Some("666") => "spam",
            Some("777") => "known",
            _ => "unknown",
        };
        Json(json!({ "result": result }))
    };
    let address = serve(Router::new().route("/verdict", post(judge))).await?;
    Ok(guide("front-desk")?.replace("https://crm.example", &format!("http://{address}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_judged_and_passed_to_whoever_is_idle() -> Result<(), Failure> {
    let stage = Stage::start(&desk().await?, "").await?;
    stage.passes("front-desk-team").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_passed_to_one_after_the_other() -> Result<(), Failure> {
    let flow = desk().await?.replace("longest_idle", "round_robin");
    let stage = Stage::start(&flow, "").await?;
    stage.passes("front-desk-team").await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_passed_to_who_is_away_and_nobody_answered_after_hours() -> Result<(), Failure> {
    let cloud = Cloud::start().await?;
    let away = json!({"availability": "Away", "activity": "Away", "expirationDuration": "PT8H"});
    let ada = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01";
    let path = format!("users/{ada}/presence/setUserPreferredPresence");
    cloud.ask(&path, &away).await?;
    let flow = desk().await?;
    // A day that it isn't, in any time zone.
    let days = jiff::SignedDuration::from_hours(3 * 24);
    let day = (jiff::Timestamp::now() + days).strftime("%a").to_string();
    let week = r#""mon", "tue", "wed", "thu", "fri", "sat", "sun""#;
    let closed = flow.replace(week, &format!("\"{}\"", day.to_lowercase()));
    assert_ne!(closed, flow, "the guide's desk is always open");
    let stage = Stage::on(cloud, &closed, Around::default()).await?;
    stage.passes("front-desk-closed").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_manuals_front_desk_works() -> Result<(), Failure> {
    let manual = doc("flows.md")?;
    let screen = blocks(&manual).find(|block| block.starts_with("[nodes.screen]"));
    let flow = format!(
        r#"
        start = "screen"
        otherwise = "closed"
        [contacts]
        ada = {{ user = "3f0a6c1e-52c8-4d3f-9d5b-0b6f9a2c7a01" }}
        [hours.office]
        days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        from = "00:00"
        to = "24:00"
        zone = "UTC"
        [prompts]
        welcome = {{ text = "Welcome." }}
        [nodes]
        busy = {{ reject = "busy" }}
        welcome = {{ say = "welcome", next = "closed" }}
        closed = {{ hang_up = true }}
        {}"#,
        screen.ok_or("the manual shows a front desk")?
    );
    let stage = Stage::start(&flow, "").await?;
    stage.passes("front-desk-screen").await
}
