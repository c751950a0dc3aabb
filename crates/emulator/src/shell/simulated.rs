//! A call's media in a simulation: reports without sound.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Hub;
use crate::cloud::{MediaAction, MediaReport, RecordEnd};

/// Until a session stands.
const SETUP: Duration = Duration::from_millis(50);
/// How long anything that is played takes.
const PLAYS: Duration = Duration::from_secs(2);
/// The answer to whatever a phone offers.
const SDP: &str = "v=0\r\n";

/// What is played or recorded now.
struct Current {
    operation: String,
    records: bool,
    until: tokio::time::Instant,
}

/// Runs a call's media until its queue is closed or the emulator stops.
pub(super) async fn run(hub: Arc<Hub>, call: String, mut actions: mpsc::Receiver<MediaAction>) {
    let mut waiting = std::collections::VecDeque::<(String, bool)>::new();
    let mut current: Option<Current> = None;
    loop {
        if current.is_none()
            && let Some((operation, records)) = waiting.pop_front()
        {
            let until = tokio::time::Instant::now() + PLAYS;
            current = Some(Current {
                operation,
                records,
                until,
            });
        }
        let until = current.as_ref().map(|current| current.until);
        tokio::select! {
            biased;
            () = hub.stopped() => return,
            action = actions.recv() => match action {
                Some(MediaAction::Play { operation, .. }) => waiting.push_back((operation, false)),
                Some(MediaAction::Record { operation, .. }) => waiting.push_back((operation, true)),
                Some(MediaAction::StopPlaying) => {
                    let current = current.take().map(|current| (current.operation, current.records));
                    for (operation, records) in current.into_iter().chain(waiting.drain(..)) {
                        report(&hub, &call, over(operation, records, false));
                    }
                }
                Some(action) => set_up(&hub, &call, action).await,
                None => return,
            },
            () = at(until) => if let Some(current) = current.take() {
                report(&hub, &call, over(current.operation, current.records, true));
            },
        }
    }
}

async fn set_up(hub: &Arc<Hub>, call: &str, action: MediaAction) {
    let sdp = SDP.to_owned();
    let done = match action {
        MediaAction::Host { leg, .. } => MediaReport::Hosted { leg, sdp },
        MediaAction::OfferToBot { .. } => MediaReport::BotAnswered { sdp },
        _ => return,
    };
    tokio::time::sleep(SETUP).await;
    report(hub, call, done);
}

fn over(operation: String, records: bool, whole: bool) -> MediaReport {
    if records {
        let end = match whole {
            true => RecordEnd::NothingSaid,
            false => RecordEnd::Cancelled,
        };
        return MediaReport::Recorded {
            operation,
            end,
            clip: None,
        };
    }
    let outcome = match whole {
        true => Ok(()),
        false => Err(super::media::CANCELLED.to_owned()),
    };
    MediaReport::Played { operation, outcome }
}

fn report(hub: &Arc<Hub>, call: &str, report: MediaReport) {
    hub.apply(|cloud, now| cloud.media_report(call, report, now));
}

async fn at(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
