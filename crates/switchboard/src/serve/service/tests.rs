//! Live calls, as the API shows and ends them.

use serde_json::{Value, json};

use crate::serve::office::{Office, PATIENT, answers, patient};

async fn ask(office: &Office, method: &str, path: &str, key: &str) -> (u16, Value) {
    let method = method.parse().expect("a method");
    let request = reqwest::Client::new().request(method, format!("{}{path}", office.api));
    let answer = request.bearer_auth(key).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.text().await.expect("a body");
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_call_is_seen_by_all_and_hung_up_by_writers() {
    let office = Office::open("application").await;
    let (_, none) = ask(&office, "GET", "/calls", &office.reader).await;
    assert_eq!(none, json!({"calls": []}));
    let mut patient = patient(&office).await;
    office.remind(&json!({})).await;
    answers(&mut patient).await;

    let (_, seen) = ask(&office, "GET", "/calls", &office.key).await;
    let call = &seen["calls"][0];
    assert_eq!(call["state"], "established");
    assert_eq!(call["direction"], "outgoing");
    assert_eq!(call["flow"], "reminder");
    assert_eq!(call["user"], PATIENT);
    assert_eq!(call["application"], "an application");
    // Who may only look isn't told who it is.
    let (_, seen) = ask(&office, "GET", "/calls", &office.reader).await;
    assert_eq!(seen["calls"][0]["id"], call["id"]);
    assert!(!seen.to_string().contains(PATIENT));

    let path = format!("/calls/{}", call["id"].as_str().expect("an id"));
    assert_eq!(ask(&office, "DELETE", &path, &office.reader).await.0, 403);
    assert_eq!(ask(&office, "DELETE", &path, &office.key).await.0, 202);
    patient.is_hung_up_on().await;
    let missing = ask(&office, "DELETE", "/calls/no-such-call", &office.key).await;
    assert_eq!(missing.0, 404);
    let mut left = office.site.bot.dialer().live_changes().expect("a bot");
    while !office.site.bot.dialer().live().is_empty() {
        left.changed().await.expect("a bot");
    }
    // The database learns of it after the bot.
    let gone = async {
        while ask(&office, "DELETE", &path, &office.key).await.0 != 404 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let gone = tokio::time::timeout(std::time::Duration::from_secs(20), gone).await;
    gone.expect("a call that is over is not found");
    office.close().await;
}
