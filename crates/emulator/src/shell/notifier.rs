//! Delivery of one call's notifications, in order, unless a fault says otherwise.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use switchboard_signaling::clock;
use tokio::sync::mpsc;

use super::Hub;
use crate::cloud::{Cloud, Notice, legacy};
use crate::faults::{self, Mischief};
use crate::journal::NoReplay;

/// A webhook that takes longer than this doesn't answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before further attempts; after the last the notification is given up.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];
/// Longer than any token lives.
const LONG_AGO: Duration = Duration::from_secs(2 * 3600);

/// What became of one attempt.
enum Attempt {
    Delivered,
    /// It may help to try again; why it wasn't taken.
    Later(String),
    /// The bot is elsewhere.
    Moved(Url),
    /// It won't help; why it wasn't taken.
    Refused(String),
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
        () = hub.given_up() => {}
    }
    drop(at_work);
}

async fn deliver_all(hub: &Arc<Hub>, mut notices: mpsc::Receiver<Notice>) {
    let mut overtaken = None;
    while let Some(notice) = notices.recv().await {
        let kind = format!("notification:{}", notice.kind);
        debug_assert!(faults::exists(&kind), "no rule can mean {kind}");
        let mischief = hub.faults(|faults| faults.strike(&kind, &notice.call));
        if mischief.as_ref().is_some_and(Mischief::keeps_back) {
            hub.judge(|judge| judge.spoilt(&notice.call, &notice.kind));
        }
        match mischief {
            Some(Mischief::Reorder) if overtaken.is_none() => overtaken = Some(notice),
            mischief => {
                deliver_one(hub, notice, mischief.as_ref()).await;
                if let Some(late) = overtaken.take() {
                    deliver_one(hub, late, None).await;
                }
            }
        }
    }
    if let Some(late) = overtaken {
        deliver_one(hub, late, None).await;
    }
}

async fn deliver_one(hub: &Arc<Hub>, mut notice: Notice, mischief: Option<&Mischief>) {
    send(hub, &mut notice, mischief).await;
    hub.journal(|journal| journal.settled(&notice.correlation.message));
}

async fn send(hub: &Arc<Hub>, notice: &mut Notice, mischief: Option<&Mischief>) {
    match mischief {
        Some(Mischief::Lose) => return,
        Some(Mischief::Delay { ms }) => tokio::time::sleep(Duration::from_millis(*ms)).await,
        Some(
            spoilt @ (Mischief::Empty
            | Mischief::WrongKey
            | Mischief::Expired
            | Mischief::Skew { .. }),
        ) => {
            let outcome = attempt(hub, notice, mischief).await;
            believed(hub, notice, spoilt, &outcome);
            return;
        }
        Some(Mischief::LegacyFirst) if !post(hub, notice, mischief).await => return,
        _ => {}
    }
    let copies = match mischief {
        Some(Mischief::Duplicate { copies }) => *copies,
        _ => 1,
    };
    for _ in 0..copies {
        post(hub, notice, None).await;
    }
}

/// Sends a notification of the journal once more, as it was but with a token of its own; the
/// status it is answered with. It says nothing of how the bot behaves.
pub(crate) async fn again(hub: &Arc<Hub>, notice: &Notice) -> Result<StatusCode, NoReplay> {
    let there = |cloud: &mut Cloud, _| cloud.is_told_of(&notice.call, &notice.app);
    if !hub.apply(there) {
        return Err(NoReplay::Gone);
    }
    let request = request(hub, notice, None).ok_or(NoReplay::NoAnswer)?;
    hub.note(notice);
    let begun = clock::now();
    let response = hub.outside.http.send(request).await;
    let status = response.ok().map(|response| response.status());
    let message = &notice.correlation.message;
    let (with, took) = (status.map(|status| status.as_u16()), clock::now() - begun);
    hub.journal(|journal| {
        journal.delivered(message, with, took);
        journal.settled(message);
    });
    status.ok_or(NoReplay::NoAnswer)
}

/// Whether the webhook took it; if not, the call suffers from it.
async fn post(hub: &Arc<Hub>, notice: &mut Notice, mischief: Option<&Mischief>) -> bool {
    for pause in PAUSES.into_iter().map(Some).chain([None]) {
        match (attempt(hub, notice, mischief).await, pause) {
            (Attempt::Delivered, _) => {
                if mischief.is_none() {
                    let now = hub.now();
                    hub.judge(|judge| judge.told(&notice.call, &notice.kind, now));
                }
                return true;
            }
            (Attempt::Later(_), Some(pause)) => tokio::time::sleep(pause).await,
            (Attempt::Moved(to), Some(_)) => notice.to = to,
            (Attempt::Moved(_), None) => {
                let status = Ok(StatusCode::FOUND.as_u16());
                hub.judge(|judge| judge.webhook(&notice.call, status, Duration::ZERO));
                not_taken(notice, "it sends on too often");
                break;
            }
            (Attempt::Later(why), None) | (Attempt::Refused(why), _) => {
                not_taken(notice, &why);
                break;
            }
        }
    }
    hub.apply(|cloud, now| cloud.undelivered(&notice.call, now));
    false
}

/// What the bot makes of a spoilt notification is its own affair, but for one that anybody
/// could have sent.
fn believed(hub: &Hub, notice: &Notice, spoilt: &Mischief, outcome: &Attempt) {
    let how = match spoilt {
        Mischief::WrongKey => "signed with a key that nobody knows",
        Mischief::Expired => "whose token had expired",
        _ => return,
    };
    if matches!(outcome, Attempt::Delivered) {
        hub.judge(|judge| judge.forgery_taken(&notice.call, how));
    }
}

/// Authors look at standard error when nothing comes.
fn not_taken(notice: &Notice, why: &str) {
    let (call, kind) = (&notice.call, &notice.kind);
    let webhook = format!(
        "{}{}",
        notice.to.origin().ascii_serialization(),
        notice.to.path()
    );
    tracing::warn!(%call, kind, webhook, "a notification was not taken by the bot's webhook: {why}");
}

/// The first cause of an error: `Connection refused` rather than that sending failed.
fn cause(error: &dyn std::error::Error) -> String {
    let mut first = error;
    while let Some(source) = first.source() {
        first = source;
    }
    first.to_string()
}

async fn attempt(hub: &Arc<Hub>, notice: &Notice, mischief: Option<&Mischief>) -> Attempt {
    let Some(request) = request(hub, notice, mischief) else {
        return Attempt::Refused("it could not be signed".to_owned());
    };
    let begun = clock::now();
    let response = hub.outside.http.send(request).await;
    let status = response.as_ref().ok();
    let status = status.map(|response| response.status().as_u16());
    let (message, took) = (&notice.correlation.message, clock::now() - begun);
    hub.journal(|journal| journal.delivered(message, status, took));
    let legacy = mischief == Some(&Mischief::LegacyFirst);
    let moved = response.as_ref().ok();
    if let Some(to) = moved.and_then(|response| moved_to(hub, notice, response)) {
        hub.judge(|judge| judge.webhook_took(&notice.call, took));
        return Attempt::Moved(to);
    }
    if mischief.is_none() || legacy {
        let answer = response.as_ref().map(|response| response.status().as_u16());
        let answer = answer.map_err(|error| cause(error));
        hub.judge(|judge| {
            let answer = answer.as_ref().map_err(String::as_str).copied();
            judge.webhook(&notice.call, answer, took);
        });
    }
    match response {
        Ok(response) if legacy => taken_as_legacy(hub, notice, response.status()),
        Ok(response) => judge(response.status()),
        Err(error) => Attempt::Later(cause(&error)),
    }
}

/// Where the bot wants to have a new call, for its region (Incoming call notifications,
/// "Redirects for region affinity"), if it may be there.
fn moved_to(hub: &Arc<Hub>, notice: &Notice, response: &Response) -> Option<Url> {
    if response.status() != StatusCode::FOUND || notice.kind != "incoming" {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = notice.to.join(location).ok()?;
    hub.apply(|cloud, _| cloud.moved(&notice.call, &to))
}

/// Only `204` asks for Graph's format: whoever takes it goes on in the former protocol.
fn taken_as_legacy(hub: &Hub, notice: &Notice, status: StatusCode) -> Attempt {
    match judge(status) {
        Attempt::Delivered if status != StatusCode::NO_CONTENT => {
            hub.judge(|judge| judge.legacy_taken(&notice.call, status.as_u16()));
            Attempt::Refused(format!("it answered {status}, not 204"))
        }
        outcome => outcome,
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
        .header("Client-Request-Id", hub.new_id());
    Some(match mischief {
        Some(Mischief::Empty) => request.body(""),
        Some(Mischief::LegacyFirst) => request.json(&legacy(notice)),
        _ => request.json(&notice.body),
    })
}

fn token(hub: &Hub, notice: &Notice, mischief: Option<&Mischief>) -> Option<String> {
    let (identity, service) = (hub.identity(), hub.address(""));
    // The bot's clock is not moved with the emulator's: a token of 44 minutes ahead would be
    // refused.
    let (app, tenant, now) = (&notice.app, &notice.tenant, clock::wall());
    match mischief {
        Some(Mischief::WrongKey) => identity.foreign_token(app, tenant, &service, now),
        Some(Mischief::Expired) => {
            identity.notification_token(app, tenant, &service, now - LONG_AGO)
        }
        Some(Mischief::Skew { ms }) => {
            let apart = Duration::from_millis(ms.unsigned_abs());
            let theirs = if *ms < 0 { now - apart } else { now + apart };
            identity.notification_token(app, tenant, &service, theirs)
        }
        _ => identity.notification_token(app, tenant, &service, now),
    }
}

fn judge(status: StatusCode) -> Attempt {
    let why = || format!("it answered {status}");
    match status {
        status if status.is_success() => Attempt::Delivered,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Attempt::Later(why())
        }
        _ => Attempt::Refused(why()),
    }
}
