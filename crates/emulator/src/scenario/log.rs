//! What happened in a scenario's calls, so that it can be compared with another run.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::causes;
use super::plan::Scenario;
use crate::emulator::Emulator;
use crate::journal::{Journal, Logged, Stream};
use crate::shell::Hub;

/// The journal keeps what the scenario's log will need.
pub(super) struct Log {
    hub: Arc<Hub>,
    since: u64,
}

impl Log {
    pub(super) fn begin(emulator: &Emulator) -> Self {
        let hub = Arc::clone(emulator.hub());
        let since = hub.journal(Journal::begin_log);
        Self { hub, since }
    }

    pub(super) fn of(&self, scenario: &Scenario, calls: Vec<Had>) -> Vec<String> {
        let (entries, cut) = self.hub.journal(|journal| journal.log(self.since));
        let mut lines = lines(scenario, calls, &entries);
        if cut > 0 {
            lines.push(format!("{cut} more lines are not kept"));
        }
        lines
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.hub.journal(Journal::log_over);
    }
}

/// What happened in the calls that people had, person by person, and in the bots' own calls
/// with several of them.
fn lines(scenario: &Scenario, calls: Vec<Had>, entries: &[Logged]) -> Vec<String> {
    let own = owned(calls);
    let mut lines = Vec::new();
    for Had { who, call, .. } in &own {
        let name = &scenario.people[*who].name;
        let of_call = of_call(call, entries).into_iter();
        lines.extend(of_call.map(|line| format!("{name}: {line}")));
    }
    // A bot's call in a group or a meeting is none of anybody's. Which of two came first is
    // chance where people act at once: so what happened in them gives their order.
    let mut known: BTreeSet<&str> = own.iter().map(|had| had.call.as_str()).collect();
    known.insert("");
    let others = entries.iter().filter(|entry| known.insert(&entry.call));
    let mut others: Vec<_> = others.map(|entry| of_call(&entry.call, entries)).collect();
    others.sort();
    for (bot, of_call) in (1..).zip(others) {
        let of_call = of_call.into_iter();
        lines.extend(of_call.map(|line| format!("bot {bot}: {line}")));
    }
    lines
}

/// Each person's calls in their order; one that several had is theirs who dialled, or the
/// first one's by name.
fn owned(mut calls: Vec<Had>) -> Vec<Had> {
    calls.sort_by_key(|had| had.who);
    let dialled = calls.iter().filter(|had| !had.rang);
    let dialled: BTreeSet<String> = dialled.map(|had| had.call.clone()).collect();
    let mut known = BTreeSet::new();
    calls.retain(|had| {
        let own = !had.rang || !dialled.contains(&had.call);
        own && known.insert(had.call.clone())
    });
    calls
}

/// A call's lines until it is over. Between two one thing leads to the other; where several act
/// at once their order is chance, so there it is that of the streams.
fn of_call(call: &str, entries: &[Logged]) -> Vec<String> {
    let mut is_over = false;
    let own = entries.iter().filter(|entry| entry.call == call);
    // What a bot asks after the end comes, or not, before the log is written. The judge
    // tells of what it shouldn't ask.
    let own = own.filter(|entry| {
        is_over |= entry.is_end;
        !(is_over && matches!(entry.stream, Stream::Request(_)))
    });
    let mut own: Vec<_> = own.collect();
    if own.iter().any(|entry| entry.shared) {
        own.sort_by(|a, b| a.stream.cmp(&b.stream));
        // Of people who come and go at once, one roster tells, or several do.
        let roster = Stream::Notification("roster".to_owned());
        own.dedup_by(|a, b| a.stream == roster && a.line == b.line);
    } else {
        own = causes::before_effects(&own);
    }
    own.into_iter().map(|entry| entry.line.clone()).collect()
}

/// A call that a person had.
pub(super) struct Had {
    pub(super) who: usize,
    pub(super) call: String,
    /// It rang; else they dialled.
    pub(super) rang: bool,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        let text = r#"
            people.Ada.steps = [{ call = "bot" }]
            people.Ben.steps = [{ call = "bot" }]
        "#;
        Scenario::parse(text, &mut |_| Err(String::new())).unwrap()
    }

    fn entry(call: &str, stream: Stream, line: &str) -> Logged {
        Logged {
            call: call.to_owned(),
            line: line.to_owned(),
            is_end: line.starts_with("call terminated"),
            shared: call.starts_with("room"),
            stream,
            operation: None,
        }
    }

    fn request(call: &str, operation: &str) -> Logged {
        let stream = Stream::Request(operation.to_owned());
        entry(call, stream, &format!("request {operation}"))
    }

    fn told(call: &str, about: &str) -> Logged {
        let stream = Stream::Notification(about.to_owned());
        entry(call, stream, &format!("notification {about}"))
    }

    fn state(call: &str, state: &str) -> Logged {
        entry(call, Stream::State, &format!("call {state}"))
    }

    #[test]
    fn what_happens_at_once_has_one_order() {
        let of = |entries: &[Logged]| lines(&scenario(), Vec::new(), entries);
        let (tone, roster) = (|call| told(call, "tone"), |call| told(call, "roster"));
        let first = [
            request("room-a", "create"),
            request("room-b", "create"),
            state("room-a", "established"),
            state("room-b", "established"),
            roster("room-a"),
            tone("room-a"),
            request("room-a", "playPrompt"),
            roster("room-a"),
        ];
        let second = [
            request("room-2", "create"),
            request("room-1", "create"),
            state("room-1", "established"),
            roster("room-1"),
            roster("room-1"),
            roster("room-1"),
            request("room-1", "playPrompt"),
            tone("room-1"),
            state("room-2", "established"),
        ];
        let expected = [
            "bot 1: call established",
            "bot 1: request create",
            "bot 2: call established",
            "bot 2: request create",
            "bot 2: request playPrompt",
            "bot 2: notification roster",
            "bot 2: notification tone",
        ];
        assert_eq!(of(&first), expected);
        assert_eq!(of(&second), expected);
    }

    #[test]
    fn calls_of_two_keep_their_order_until_they_are_over() {
        let had = |who, call: &str, rang| Had {
            who,
            call: call.to_owned(),
            rang,
        };
        let calls = vec![had(1, "b", false), had(0, "b", true), had(0, "a", true)];
        let entries = [
            told("a", "tone"),
            request("a", "answer"),
            request("b", "answer"),
            state("a", "terminated 0"),
            request("a", "get"),
            told("a", "terminated"),
            request("", "createOrGet"),
        ];
        let expected = [
            "Ada: notification tone",
            "Ada: request answer",
            "Ada: call terminated 0",
            "Ada: notification terminated",
            "Ben: request answer",
        ];
        assert_eq!(lines(&scenario(), calls, &entries), expected);
    }
}
