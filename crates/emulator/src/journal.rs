//! What was asked, told and done, for the page's inspector and for logs of scenarios.
//! Without IO, bounded, in memory alone; bodies are redacted before they are kept, and
//! nothing that was heard gets here.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::timeline::{CallEvent, CallProgress, PromptState, TimelineEvent};

/// Entries that are kept.
const MAX_ENTRIES: usize = 2_000;
/// Lines of a scenario's log that are kept of entries which gave way.
const MAX_LINES: usize = 100_000;
/// Calls whose beginning is remembered.
const MAX_CALLS: usize = 2_000;
/// Longer bodies are left out.
const MAX_BODY: usize = 16 * 1024;
/// What stands for what is not shown.
const REDACTED: &str = "…";
/// Properties that hold secrets, keys that were pressed, or where they can be had.
const SECRET: [&str; 8] = [
    "blob",
    "tone",
    "tones",
    "passcode",
    "token",
    "recordingaccesstoken",
    "recordinglocation",
    "clientsecret",
];

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Its number, in the order in which things happened.
    pub(crate) seq: u64,
    /// Grows whenever something of the entry becomes known.
    pub(crate) changed: u64,
    /// The call; empty while there is none.
    pub(crate) call: String,
    /// Milliseconds since the call's first entry.
    pub(crate) t_ms: u64,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum What {
    /// A bot asked Graph.
    Request {
        operation: String,
        /// The application that asked.
        #[serde(skip)]
        app: String,
        method: String,
        path: String,
        status: Option<u16>,
        ms: Option<u64>,
        request: Option<Value>,
        /// Whether it had a body that is not kept.
        #[serde(skip)]
        without: bool,
        response: Option<Value>,
    },
    /// A bot was notified.
    Notification {
        notification: String,
        url: String,
        status: Option<u16>,
        ms: Option<u64>,
        attempts: u32,
        request: Option<Value>,
    },
    /// The call's state changed.
    State {
        state: CallProgress,
        code: Option<i32>,
    },
    /// A prompt began or ended.
    Prompt { name: String, state: PromptState },
}

/// A request as it can be sent again: without the secrets that its body had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Again {
    pub(crate) app: String,
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

/// Why a request can't be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoReplay {
    #[error("there is no request with that number; GET /admin/journal names them by seq")]
    NoRequest,
    #[error("its body is not kept: it was no JSON, or longer than 16 KiB")]
    NoBody,
}

/// All entries that are kept.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
    changes: u64,
    begun: BTreeMap<String, Instant>,
    /// Entries of notifications that are on their way, by message id.
    messages: BTreeMap<String, u64>,
    /// Scenarios that will ask for their log.
    logged: usize,
    /// What their log will need of entries that gave way.
    past: Vec<Past>,
    /// How many more there were.
    cut: usize,
}

#[derive(Debug)]
struct Past {
    changed: u64,
    call: String,
    line: String,
}

impl Journal {
    /// A bot asks; gives the entry's number.
    pub(crate) fn asked(
        &mut self,
        now: Instant,
        app: &str,
        (call, operation): (&str, &str),
        request: (&str, &str, &[u8]),
    ) -> u64 {
        let (method, path, body) = request;
        let kept = readable(body);
        let what = What::Request {
            operation: operation.to_owned(),
            app: app.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            status: None,
            ms: None,
            without: kept.is_none() && !body.is_empty(),
            request: kept,
            response: None,
        };
        self.add(now, call, what)
    }

    /// A request, to be sent again.
    pub(crate) fn again(&self, seq: u64) -> Result<Again, NoReplay> {
        let entry = self.entries.iter().find(|entry| entry.seq == seq);
        match entry.map(|entry| &entry.what) {
            Some(What::Request { without: true, .. }) => Err(NoReplay::NoBody),
            Some(What::Request {
                app,
                method,
                path,
                request,
                ..
            }) => Ok(Again {
                app: app.clone(),
                method: method.clone(),
                path: path.clone(),
                body: request.clone(),
            }),
            _ => Err(NoReplay::NoRequest),
        }
    }

    /// It is answered.
    pub(crate) fn answered(&mut self, seq: u64, with: u16, took: Duration, body: &[u8]) {
        let Some(entry) = self.change(seq) else {
            return;
        };
        let What::Request {
            operation,
            status,
            ms,
            response,
            ..
        } = &mut entry.what
        else {
            return;
        };
        (*status, *ms) = (Some(with), Some(took.as_millis() as u64));
        *response = readable(body);
        // A new call has its id from here on.
        if entry.call.is_empty() && operation == "create" {
            let id = response.as_ref().and_then(|body| body["id"].as_str());
            entry.call = id.unwrap_or_default().to_owned();
        }
    }

    /// A bot is to be notified.
    pub(crate) fn notified(
        &mut self,
        now: Instant,
        call: &str,
        kind: &str,
        message: (&str, &str, &impl Serialize),
    ) {
        let (id, url, body) = message;
        let what = What::Notification {
            notification: kind.to_owned(),
            url: url.to_owned(),
            status: None,
            ms: None,
            attempts: 0,
            request: serde_json::to_value(body).ok().map(redacted),
        };
        let seq = self.add(now, call, what);
        self.messages.insert(id.to_owned(), seq);
        while self.messages.len() > MAX_ENTRIES {
            self.messages.pop_first();
        }
    }

    /// The webhook has answered an attempt, or not.
    pub(crate) fn delivered(&mut self, message: &str, with: Option<u16>, took: Duration) {
        let seq = self.messages.get(message).copied();
        let Some(entry) = seq.and_then(|seq| self.change(seq)) else {
            return;
        };
        if let What::Notification {
            status,
            ms,
            attempts,
            ..
        } = &mut entry.what
        {
            (*status, *ms) = (with, Some(took.as_millis() as u64));
            *attempts += 1;
        }
    }

    /// Nothing more is done about a notification.
    pub(crate) fn settled(&mut self, message: &str) {
        self.messages.remove(message);
    }

    /// How many notifications are on their way.
    pub(crate) fn on_their_way(&self) -> usize {
        self.messages.len()
    }

    /// Something was shown to the call's phones. What was heard is left out.
    pub(crate) fn shown(&mut self, now: Instant, event: &CallEvent) {
        let what = match &event.event {
            TimelineEvent::Call { state, code, .. } => What::State {
                state: *state,
                code: *code,
            },
            TimelineEvent::Prompt { name, state } => What::Prompt {
                name: name.clone(),
                state: *state,
            },
            _ => return,
        };
        self.add(now, &event.call, what);
    }

    /// Entries that changed after a look that ended with `changed`; of one call, if it
    /// is given.
    pub(crate) fn since(&self, changed: u64, call: Option<&str>) -> Vec<Entry> {
        let fits =
            |entry: &&Entry| entry.changed > changed && call.is_none_or(|call| call == entry.call);
        self.entries.iter().filter(fits).cloned().collect()
    }

    /// Keeps, until [`log_over`](Self::log_over), what [`log`](Self::log) needs of what
    /// follows; where that begins.
    pub(crate) fn begin_log(&mut self) -> u64 {
        self.logged += 1;
        self.changes
    }

    /// Each entry since a log began as its call and its line, and how many there were beyond
    /// what is kept.
    pub(crate) fn log(&self, since: u64) -> (Vec<(String, String)>, usize) {
        let past = self.past.iter().filter(|past| past.changed > since);
        let past = past.map(|past| (past.call.clone(), past.line.clone()));
        let kept = self.entries.iter().filter(|entry| entry.changed > since);
        let kept = kept.map(|entry| (entry.call.clone(), entry.line()));
        (past.chain(kept).collect(), self.cut)
    }

    /// A scenario has its log.
    pub(crate) fn log_over(&mut self) {
        self.logged = self.logged.saturating_sub(1);
        if self.logged == 0 {
            self.past = Vec::new();
            self.cut = 0;
        }
    }

    /// Forgets all entries; numbers and changes go on, for those who look what is new.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            next: self.next,
            changes: self.changes + 1,
            logged: self.logged,
            ..Self::default()
        };
    }

    /// The latest change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    fn add(&mut self, now: Instant, call: &str, what: What) -> u64 {
        if self.begun.len() >= MAX_CALLS && !self.begun.contains_key(call) {
            self.begun.clear();
        }
        let begun = *self.begun.entry(call.to_owned()).or_insert(now);
        self.next += 1;
        self.changes += 1;
        if self.entries.len() == MAX_ENTRIES
            && let Some(entry) = self.entries.pop_front()
        {
            self.passes(&entry);
        }
        self.entries.push_back(Entry {
            seq: self.next,
            changed: self.changes,
            call: call.to_owned(),
            t_ms: now.saturating_duration_since(begun).as_millis() as u64,
            what,
        });
        self.next
    }

    /// An entry gives way.
    fn passes(&mut self, entry: &Entry) {
        match self.logged {
            0 => {}
            _ if self.past.len() == MAX_LINES => self.cut += 1,
            _ => self.past.push(Past {
                changed: entry.changed,
                call: entry.call.clone(),
                line: entry.line(),
            }),
        }
    }

    fn change(&mut self, seq: u64) -> Option<&mut Entry> {
        self.changes += 1;
        let first = self.entries.front()?.seq;
        let entry = self
            .entries
            .get_mut(usize::try_from(seq.checked_sub(first)?).ok()?)?;
        entry.changed = self.changes;
        Some(entry)
    }
}

impl Entry {
    /// The entry as a line of a scenario's log: what happened, without times and ids,
    /// so that the same scenario gives the same lines.
    pub(crate) fn line(&self) -> String {
        match &self.what {
            What::Request {
                operation, status, ..
            } => format!("request {operation} {}", known(*status)),
            What::Notification {
                notification,
                status,
                attempts,
                ..
            } => format!("notification {notification} {} x{attempts}", known(*status)),
            What::State { state, code } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                format!("call {}{code}", lowercase(state))
            }
            What::Prompt { state, .. } => format!("prompt {}", lowercase(state)),
        }
    }
}

fn lowercase(state: &impl std::fmt::Debug) -> String {
    format!("{state:?}").to_lowercase()
}

fn known(status: Option<u16>) -> String {
    status.map_or_else(|| "none".to_owned(), |status| status.to_string())
}

/// A body that is short enough and JSON, redacted.
fn readable(body: &[u8]) -> Option<Value> {
    let short = body.len() <= MAX_BODY;
    let value = serde_json::from_slice(body).ok().filter(|_| short);
    value.map(redacted)
}

/// The same without secrets.
fn redacted(mut value: Value) -> Value {
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(members) => {
            for (name, member) in members {
                if SECRET.contains(&name.to_ascii_lowercase().as_str()) && !member.is_null() {
                    *member = Value::from(REDACTED);
                } else {
                    redact(member);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use switchboard_media::event::{Digit, DigitSource};

    use super::*;

    fn asked(journal: &mut Journal, now: Instant, call: &str, operation: &str) -> u64 {
        let request = ("POST", "/v1.0/communications/calls", &b"{}"[..]);
        journal.asked(now, "app", (call, operation), request)
    }

    #[test]
    fn bodies_are_kept_without_secrets() {
        let body = json!({"mediaConfig": {"blob": "b"}, "tones": ["tone1"], "a": [{"passcode": "p"}],
            "value": [{"resourceData": {"toneInfo": {"tone": "tone5", "sequenceId": 1}}}],
            "recordingAccessToken": null});
        let kept = redacted(body);
        let expected = json!({"mediaConfig": {"blob": "…"}, "tones": "…", "a": [{"passcode": "…"}],
            "value": [{"resourceData": {"toneInfo": {"tone": "…", "sequenceId": 1}}}],
            "recordingAccessToken": null});
        assert_eq!(kept, expected);
        assert_eq!(readable(b"no json"), None);
        assert_eq!(readable(&vec![b'1'; MAX_BODY + 1]), None);
    }

    #[test]
    fn a_request_is_sent_again_as_it_was_kept() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        let mut ask = |body: &[u8]| {
            let request = ("POST", "/v1.0/communications/calls/c/answer?x=1", body);
            journal.asked(now, "app", ("c", "answer"), request)
        };
        let with_secret = ask(br#"{"mediaConfig":{"blob":"b"}}"#);
        let without_body = ask(b"");
        let no_json = ask(b"x");
        let again = journal.again(with_secret).unwrap();
        assert_eq!(again.path, "/v1.0/communications/calls/c/answer?x=1");
        assert_eq!(again.body, Some(json!({"mediaConfig": {"blob": "…"}})));
        assert_eq!(journal.again(without_body).unwrap().body, None);
        assert_eq!(journal.again(no_json), Err(NoReplay::NoBody));
        journal.notified(now, "c", "incoming", ("m", "http://bot/", &json!({})));
        let notification = journal.since(0, None).last().unwrap().seq;
        assert_eq!(journal.again(notification), Err(NoReplay::NoRequest));
    }

    #[test]
    fn what_becomes_known_later_is_a_change() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        let seq = asked(&mut journal, now, "", "create");
        journal.notified(now, "c", "establishing", ("m", "http://bot/", &json!({})));
        let looked = journal.changes();
        assert_eq!(journal.since(looked, None), []);
        let later = now + Duration::from_secs(1);
        journal.answered(seq, 201, Duration::from_millis(5), br#"{"id":"c"}"#);
        journal.delivered("m", Some(202), Duration::from_millis(7));
        asked(&mut journal, later, "c", "delete");
        let news = journal.since(looked, Some("c"));
        let lines: Vec<_> = news.iter().map(Entry::line).collect();
        assert_eq!(
            lines,
            [
                "request create 201",
                "notification establishing 202 x1",
                "request delete none"
            ]
        );
        assert_eq!(news[2].t_ms, 1000);
        assert_eq!(journal.on_their_way(), 1);
        journal.settled("m");
        assert_eq!(journal.on_their_way(), 0);
    }

    #[test]
    fn nothing_that_was_heard_gets_in_and_old_entries_go() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        let heard = [
            TimelineEvent::Dtmf {
                digit: Digit::ALL[5],
                source: DigitSource::Rtp,
                duration_ms: 100,
            },
            TimelineEvent::Speech {
                start_ms: 0,
                end_ms: None,
            },
            TimelineEvent::Level { dbov: -20.0 },
        ];
        for event in heard {
            let call = "c".to_owned();
            journal.shown(
                now,
                &CallEvent {
                    call,
                    t_ms: 0,
                    event,
                },
            );
        }
        assert_eq!(journal.since(0, None), []);
        let first = asked(&mut journal, now, "c", "get");
        for _ in 0..MAX_ENTRIES {
            asked(&mut journal, now, "c", "get");
        }
        assert_eq!(journal.since(0, None).len(), MAX_ENTRIES);
        journal.answered(first, 200, Duration::ZERO, b"");
        assert_eq!(journal.since(0, None)[0].seq, first + 1);
    }

    #[test]
    fn a_scenarios_log_is_longer_than_the_journal() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        asked(&mut journal, now, "c", "before");
        let since = journal.begin_log();
        for _ in 0..=MAX_ENTRIES {
            let seq = asked(&mut journal, now, "c", "get");
            journal.answered(seq, 200, Duration::ZERO, b"");
        }
        let line = ("c".to_owned(), "request get 200".to_owned());
        assert_eq!(journal.log(since), (vec![line; MAX_ENTRIES + 1], 0));
        for _ in 0..MAX_LINES {
            asked(&mut journal, now, "c", "get");
        }
        let (lines, cut) = journal.log(since);
        assert_eq!((lines.len(), cut), (MAX_LINES + MAX_ENTRIES - 1, 2));
        journal.log_over();
        assert_eq!(journal.log(since).0.len(), MAX_ENTRIES);
    }
}
