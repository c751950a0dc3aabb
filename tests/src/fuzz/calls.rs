//! What is told of calls, and files of reminders.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use switchboard_reminders::draft::Defaults;
use switchboard_reminders::{Key, Retry, import};
use switchboard_signaling::call::{CallConfig, CallEvent, CallMachine};
use switchboard_signaling::notification::{self, Payload};

use super::Pieces;

const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
/// So many inputs make no more of either.
const MOST: usize = 100;

/// A call of which anything is told, in any order, and no answer comes to its requests. It
/// ends at most once, and asks for nothing and waits for nothing after that.
pub(super) fn machine(bytes: &[u8]) {
    let mut now = Instant::now();
    let id = CALL.parse().expect("the id is one");
    let mut call = CallMachine::incoming(now, id, CallConfig::default());
    let mut ends = 0;
    for piece in Pieces(bytes).take(MOST) {
        let (wait, body) = piece.split_first().unwrap_or((&0, &[]));
        now += Duration::from_secs(u64::from(*wait));
        call.handle_timeout(now);
        if let Ok(Payload::Notifications(batch)) = notification::parse(body) {
            for told in &batch.notifications {
                call.handle_notification(now, told);
            }
        }
        ends += drain(&mut call);
        assert!(ends <= 1, "a call ended twice");
        if call.is_terminated() {
            assert!(call.poll_timeout().is_none(), "a dead call waits");
        }
    }
}

/// Takes what the call wants and tells; how often it told its end.
fn drain(call: &mut CallMachine) -> usize {
    let requests = std::iter::from_fn(|| call.poll_request()).count();
    assert!(requests <= MOST, "{requests} requests at once");
    let events = std::iter::from_fn(|| call.poll_event());
    events
        .filter(|event| matches!(event, CallEvent::Terminated(_)))
        .count()
}

/// A file of reminders: every row is good or has a problem that names its line.
pub(super) fn reminders(bytes: &[u8]) {
    let defaults = Defaults {
        zone: Some("Europe/Berlin".to_owned()),
        quiet: None,
        retry: Retry {
            attempts: 3,
            spacing: Duration::from_secs(600),
        },
        expires_after: Duration::from_secs(24 * 3600),
        confirm: Key::new('1').expect("1 is a key"),
        prompts: vec!["visit".to_owned()],
        texts: true,
    };
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
    let import = import::read(bytes, &defaults, now);
    let lines = 1 + bytes.len() as u64;
    assert!(import.good.iter().all(|(line, _)| *line <= lines));
    assert!(import.errors.iter().all(|error| error.line <= lines));
}
