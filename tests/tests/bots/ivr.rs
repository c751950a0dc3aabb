//! The menu by keys, with media of the bot's own and with Graph's.

use std::sync::{Arc, Mutex};

use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use switchboard_tests::Failure;
use switchboard_tests::stage::{Stage, guide, serve};

/// Callers go through the guide's menu; the shop is asked for the order once, with its number.
async fn callers_press_keys(media: &str) -> Result<(), Failure> {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let shop = {
        let asked = Arc::clone(&asked);
        async move |Json(question): Json<Value>| {
            asked.lock().expect("no panic").push(question);
            Json(json!({"result": "sent"}))
        }
    };
    let address = serve(Router::new().route("/order", post(shop))).await?;
    let own = "media = \"application\"";
    let guide = guide("ivr")?;
    assert!(guide.contains(own), "the guide's media are the bot's own");
    let flow = guide
        .replace("https://shop.example", &format!("http://{address}"))
        .replace(own, media);
    let mut stage = Stage::start(&flow, "").await?;
    let report = stage.play("ivr").await?;
    stage.expect(&report)?;
    let asked = asked.lock().expect("no panic").clone();
    let orders: Vec<&Value> = asked.iter().map(|asked| &asked["values"]).collect();
    assert_eq!(orders, [&json!({"order": "4711"})]);
    // As a word: times, ports and ids have any digits.
    let said = stage.service.said()?;
    let mut words = said.split(|letter: char| !letter.is_ascii_alphanumeric());
    assert!(words.all(|word| word != "4711"), "it is in no log");
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_press_keys_with_media_of_our_own() -> Result<(), Failure> {
    callers_press_keys("media = \"application\"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_press_keys_with_media_of_graph() -> Result<(), Failure> {
    callers_press_keys("media = \"service\"").await
}
