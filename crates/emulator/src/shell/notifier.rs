//! Delivery of one call's notifications, in order.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Hub;
use crate::cloud::Notice;

/// A webhook that takes longer than this doesn't answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before further attempts; after the last the notification is given up.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

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
    mut notices: mpsc::Receiver<Notice>,
    at_work: Option<mpsc::Sender<()>>,
) {
    let work = async {
        while let Some(notice) = notices.recv().await {
            if !post(&hub, &notice).await {
                hub.apply(|cloud, now| cloud.undelivered(&notice.call, now));
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = hub.stopped() => {}
    }
    drop(at_work);
}

/// Whether the webhook took it.
async fn post(hub: &Hub, notice: &Notice) -> bool {
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        match (attempt(hub, notice).await, pause) {
            (Attempt::Delivered, _) => return true,
            (Attempt::Later, Some(pause)) => tokio::time::sleep(pause).await,
            (Attempt::Later, None) | (Attempt::Refused, _) => break,
        }
    }
    tracing::warn!(call = %notice.call, "a notification was not taken by the bot's webhook");
    false
}

async fn attempt(hub: &Hub, notice: &Notice) -> Attempt {
    let service = hub.address("");
    let now = hub.wall_clock();
    let Some(token) = hub
        .identity()
        .notification_token(&notice.app, &notice.tenant, &service, now)
    else {
        return Attempt::Refused;
    };
    let correlation = &notice.correlation;
    let request = hub
        .http
        .post(Url::clone(&notice.to))
        .timeout(TIMEOUT)
        .bearer_auth(token)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("X-Microsoft-Skype-Chain-ID", &correlation.chain)
        .header("X-Microsoft-Skype-Message-ID", &correlation.message)
        .header("Scenario-Id", &correlation.scenario)
        .header("Client-Request-Id", Uuid::new_v4().to_string())
        .json(&notice.body);
    match request.send().await {
        Ok(response) => judge(response.status()),
        Err(error) => {
            tracing::debug!(error = %error.without_url(), "a notification could not be posted");
            Attempt::Later
        }
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
