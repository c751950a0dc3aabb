//! What was asked, told and done, for the page's inspector and for logs of scenarios.
//! Without IO, bounded, in memory alone; bodies are redacted before they are kept, and
//! nothing that was heard gets here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use again::Sent;
pub(crate) use again::{Again, NoReplay};
pub(crate) use log::{Logged, Stream};

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
    /// Milliseconds since the call's first entry, or since the room began that it is part of.
    pub(crate) t_ms: u64,
    /// In a group call or meeting: what phones see the bot as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bot: Option<String>,
    #[serde(skip)]
    at: Instant,
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

/// All entries that are kept.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    next: u64,
    changes: u64,
    begun: BTreeMap<String, Instant>,
    /// Bots' calls that are part of a room.
    parts: BTreeMap<String, Part>,
    /// Entries of notifications that are on their way, by message id.
    messages: BTreeMap<String, u64>,
    /// Notifications as they were sent, by their entries' numbers.
    sent: Sent,
    /// Scenarios that will ask for their log.
    logged: usize,
    /// What their log will need of entries that gave way.
    past: Vec<Past>,
    /// Calls in it that are part of a room.
    shared: BTreeSet<String>,
    /// How many more there were.
    cut: usize,
}

#[derive(Debug)]
struct Past {
    changed: u64,
    logged: Logged,
}

/// A bot's part in a group call or meeting.
#[derive(Debug)]
struct Part {
    room: String,
    bot: String,
}

impl Journal {
    /// A bot's call is part of a room, on whose clock it is shown. Who looks at the room
    /// sees it from now on, also when it is over.
    pub(crate) fn seated(&mut self, call: &str, bot: &str, (room, since): (&str, Instant)) {
        if self.parts.len() >= MAX_CALLS {
            self.parts.clear();
        }
        let part = Part {
            room: room.to_owned(),
            bot: bot.to_owned(),
        };
        self.parts.insert(call.to_owned(), part);
        if self.logged > 0 {
            self.shared.insert(call.to_owned());
        }
        self.begin(call, since);
    }

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

    /// It is answered.
    pub(crate) fn answered(&mut self, seq: u64, with: u16, took: Duration, body: &[u8]) {
        let Some(entry) = self.change(seq) else {
            return;
        };
        let at = entry.at;
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
            let call = entry.call.clone();
            let t_ms = self.time(&call, at);
            if let Some(entry) = self.change(seq) {
                entry.t_ms = t_ms;
            }
        }
    }

    /// A bot is to be notified; gives the entry's number.
    pub(crate) fn notified(
        &mut self,
        now: Instant,
        call: &str,
        kind: &str,
        message: (&str, &str, &impl Serialize),
    ) -> u64 {
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
        seq
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

    /// Entries that changed after a look that ended with `changed`; of one call or room, if
    /// it is given.
    pub(crate) fn since(&self, changed: u64, call: Option<&str>) -> Vec<Entry> {
        let fits = |entry: &&Entry| {
            let room = || self.parts.get(&entry.call).map(|part| part.room.as_str());
            let of_it = |call| call == entry.call || room() == Some(call);
            entry.changed > changed && call.is_none_or(of_it)
        };
        let named = |entry: &Entry| Entry {
            bot: self.parts.get(&entry.call).map(|part| part.bot.clone()),
            ..entry.clone()
        };
        self.entries.iter().filter(fits).map(named).collect()
    }

    /// Keeps, until [`log_over`](Self::log_over), what [`log`](Self::log) needs of what
    /// follows; where that begins.
    pub(crate) fn begin_log(&mut self) -> u64 {
        self.logged += 1;
        self.changes
    }

    /// Each entry since a log began, and how many there were beyond what is kept.
    pub(crate) fn log(&self, since: u64) -> (Vec<Logged>, usize) {
        let past = self.past.iter().filter(|past| past.changed > since);
        let past = past.map(|past| past.logged.clone());
        let kept = self.entries.iter().filter(|entry| entry.changed > since);
        let all = past.chain(kept.map(Entry::logged)).map(|logged| Logged {
            shared: self.shared.contains(&logged.call) || self.parts.contains_key(&logged.call),
            ..logged
        });
        (all.collect(), self.cut)
    }

    /// A scenario has its log.
    pub(crate) fn log_over(&mut self) {
        self.logged = self.logged.saturating_sub(1);
        if self.logged == 0 {
            self.past = Vec::new();
            self.shared = BTreeSet::new();
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
        let t_ms = self.time(call, now);
        self.next += 1;
        self.changes += 1;
        if self.entries.len() == MAX_ENTRIES
            && let Some(entry) = self.entries.pop_front()
        {
            self.sent.remove(&entry.seq);
            self.passes(&entry);
        }
        self.entries.push_back(Entry {
            seq: self.next,
            changed: self.changes,
            call: call.to_owned(),
            t_ms,
            bot: None,
            at: now,
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
                logged: entry.logged(),
            }),
        }
    }

    /// When something happened on its call's clock, which it starts if it is the first.
    fn time(&mut self, call: &str, at: Instant) -> u64 {
        let begun = self.begin(call, at);
        at.saturating_duration_since(begun).as_millis() as u64
    }

    fn begin(&mut self, call: &str, at: Instant) -> Instant {
        if self.begun.len() >= MAX_CALLS && !self.begun.contains_key(call) {
            self.begun.clear();
        }
        *self.begun.entry(call.to_owned()).or_insert(at)
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

mod again;
mod log;
#[cfg(test)]
mod tests;
