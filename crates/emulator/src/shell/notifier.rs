//! Delivery of one call's notifications, in order, unless a fault says otherwise.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, StatusCode, Url};
use switchboard_signaling::clock;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Hub;
use crate::cloud::Notice;
use crate::faults::Mischief;

/// A webhook that takes longer than this doesn't answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before further attempts; after the last the notification is given up.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Longer than any token lives.
const LONG_AGO: Duration = Duration::from_secs(2 * 3600);

/// What became of one attempt.
enum Attempt {
    Delivered,
    /// It may help to try again.
    Later,
    /// It won't.
    Refused,
}

/// Posts what comes, one after the other, until the call's last notification.
pub(super) async fn deliver(
    hub: Arc<Hub>,
    notices: mpsc::Receiver<Notice>,
    at_work: Option<mpsc::Sender<()>>,
) {
    tokio::select! {
        biased;
        () = deliver_all(&hub, notices) => {}
        () = hub.stopped() => {}
    }
    drop(at_work);
}

async fn deliver_all(hub: &Arc<Hub>, mut notices: mpsc::Receiver<Notice>) {
    let mut overtaken = None;
    while let Some(notice) = notices.recv().await {
        let kind = format!("notification:{}", notice.kind);
        let mischief = hub.faults(|faults| faults.strike(&kind, &notice.call));
        match mischief {
            Some(Mischief::Reorder) if overtaken.is_none() => overtaken = Some(notice),
            mischief => {
                deliver_one(hub, &notice, mischief.as_ref()).await;
                if let Some(late) = overtaken.take() {
                    deliver_one(hub, &late, None).await;
                }
            }
        }
    }
    if let Some(late) = overtaken {
        deliver_one(hub, &late, None).await;
    }
}

async fn deliver_one(hub: &Arc<Hub>, notice: &Notice, mischief: Option<&Mischief>) {
    send(hub, notice, mischief).await;
    hub.journal(|journal| journal.settled(&notice.correlation.message));
}

async fn send(hub: &Arc<Hub>, notice: &Notice, mischief: Option<&Mischief>) {
    match mischief {
        Some(Mischief::Lose) => return,
        Some(Mischief::Delay { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        Some(Mischief::Empty | Mischief::WrongKey | Mischief::Expired) => {
            // What the bot makes of it is its own affair.
            let _ = attempt(hub, notice, mischief).await;
            return;
        }
        _ => {}
    }
    let copies = match mischief {
        Some(Mischief::Duplicate { copies }) => *copies,
        _ => 1,
    };
    for _ in 0..copies {
        if !post(hub, notice).await {
            hub.apply(|cloud, now| cloud.undelivered(&notice.call, now));
        }
    }
}

/// Whether the webhook took it.
async fn post(hub: &Hub, notice: &Notice) -> bool {
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        match (attempt(hub, notice, None).await, pause) {
            (Attempt::Delivered, _) => return true,
            (Attempt::Later, Some(pause)) => tokio::time::sleep(pause).await,
            (Attempt::Later, None) | (Attempt::Refused, _) => break,
        }
    }
    tracing::warn!(call = %notice.call, "a notification was not taken by the bot's webhook");
    false
}

async fn attempt(hub: &Hub, notice: &Notice, mischief: Option<&Mischief>) -> Attempt {
    let Some(request) = request(hub, notice, mischief) else {
        return Attempt::Refused;
    };
    let begun = clock::now();
    let response = hub.outside.http.send(request).await;
    let status = response.as_ref().ok();
    let status = status.map(|response| response.status().as_u16());
    let (message, took) = (&notice.correlation.message, clock::now() - begun);
    hub.journal(|journal| journal.delivered(message, status, took));
    if mischief.is_none() {
        hub.judge(|judge| judge.webhook(&notice.call, status, took));
    }
    match response {
        Ok(response) => judge(response.status()),
        Err(error) => {
            tracing::debug!(%error, "a notification could not be posted");
            Attempt::Later
        }
    }
}

fn request(hub: &Hub, notice: &Notice, mischief: Option<&Mischief>) -> Option<RequestBuilder> {
    let token = token(hub, notice, mischief)?;
    let correlation = &notice.correlation;
    let request = hub
        .outside
        .http
        .client()
        .post(Url::clone(&notice.to))
        .timeout(TIMEOUT)
        .bearer_auth(token)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("X-Microsoft-Skype-Chain-ID", &correlation.chain)
        .header("X-Microsoft-Skype-Message-ID", &correlation.message)
        .header("Scenario-Id", &correlation.scenario)
        .header("Client-Request-Id", Uuid::new_v4().to_string());
    Some(match mischief {
        Some(Mischief::Empty) => request.body(""),
        _ => request.json(&notice.body),
    })
}

fn token(hub: &Hub, notice: &Notice, mischief: Option<&Mischief>) -> Option<String> {
    let (identity, service) = (hub.identity(), hub.address(""));
    let (app, tenant, now) = (&notice.app, &notice.tenant, hub.wall_clock());
    match mischief {
        Some(Mischief::WrongKey) => identity.foreign_token(app, tenant, &service, now),
        Some(Mischief::Expired) => {
            identity.notification_token(app, tenant, &service, now - LONG_AGO)
        }
        _ => identity.notification_token(app, tenant, &service, now),
    }
}

fn judge(status: StatusCode) -> Attempt {
    match status {
        status if status.is_success() => Attempt::Delivered,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Attempt::Later
        }
        status => {
            tracing::warn!(%status, "the bot's webhook refused a notification");
            Attempt::Refused
        }
    }
}
