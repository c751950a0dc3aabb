//! What somebody asks for, as they write it, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::schedule::{self, Fit, QuietHours};
use crate::spec::{Key, Message, Postponement, Retry, Spec, Target};
use crate::text;

/// A minute of slack for those whose clock is slow.
const PAST: SignedDuration = SignedDuration::from_mins(1);
/// How far ahead reminders are taken: two years.
const AHEAD: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
/// Attempts at most.
pub const MAX_ATTEMPTS: u32 = 10;
/// Minutes between attempts, and of putting off, at most: a week.
pub const MAX_MINUTES: u32 = 7 * 24 * 60;
/// The least by which a reminder is put off: the call that does so is over by then.
pub const MIN_POSTPONEMENT: u32 = 5;
/// Variables of a text at most, and characters of a value or a reference.
const MAX_VARIABLES: usize = 20;
const MAX_VALUE: usize = 200;

/// A reminder as asked for. Field names are those of the API and of CSV columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// `phone`: an E.164 number; or
    pub phone: Option<String>,
    /// `user`: an object id.
    pub user: Option<String>,
    /// `from`: which of the bot's numbers calls, by its name.
    pub from: Option<String>,
    /// `at`: `2026-03-29T09:00` in the zone, or with an offset, `2026-03-29T09:00+02:00`.
    pub at: Option<String>,
    /// `zone`: IANA name of a time zone.
    pub zone: Option<String>,
    /// `expires`: as `at`.
    pub expires: Option<String>,
    /// `text`: what to say, with `{variables}`; or
    pub text: Option<String>,
    /// `prompt`: name of a prompt of the bot.
    pub prompt: Option<String>,
    /// `variables`: their values.
    pub variables: BTreeMap<String, String>,
    /// `attempts`: calls at most.
    pub attempts: Option<u32>,
    /// `spacingMinutes`: between them.
    pub spacing_minutes: Option<u32>,
    /// `quietFrom`: `21:00`.
    pub quiet_from: Option<String>,
    /// `quietTo`: `08:00`.
    pub quiet_to: Option<String>,
    /// `confirmKey`: which key confirms.
    pub confirm_key: Option<String>,
    /// `postponeKey`: which key puts it off.
    pub postpone_key: Option<String>,
    /// `postponeMinutes`: by how much.
    pub postpone_minutes: Option<u32>,
    /// `reference`: yours, for finding it again.
    pub reference: Option<String>,
}

/// What counts where a draft says nothing.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Zone.
    pub zone: Option<String>,
    /// Quiet hours.
    pub quiet: Option<QuietHours>,
    /// Attempts and spacing.
    pub retry: Retry,
    /// From `at` to the expiry.
    pub expires_after: Duration,
    /// The key that confirms.
    pub confirm: Key,
    /// The bot's prompts, by name.
    pub prompts: Vec<String>,
    /// Whether there is a synthesiser for texts.
    pub texts: bool,
    /// In whose name phone numbers can be called.
    pub numbers: Vec<String>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The field's name, as in the API.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// A draft that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The reminder.
    pub spec: Spec,
    /// How its local time was found.
    pub fit: Fit,
}

/// Collects what is wrong.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn add(&mut self, field: &str, problem: impl Into<String>) {
        self.0.push(FieldError {
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    /// Notes an error; `None` then.
    fn take<T, E: ToString>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|problem| self.add(field, problem.to_string()))
            .ok()
    }
}

impl Draft {
    /// Checks everything.
    ///
    /// # Errors
    /// All that is wrong, at least one.
    pub fn check(self, defaults: &Defaults, now: Timestamp) -> Result<Checked, Vec<FieldError>> {
        let mut wrong = Problems::default();
        let target = self.target(defaults, &mut wrong);
        self.caller(defaults, &mut wrong);
        let zone = self.zone(defaults, &mut wrong);
        let first = self.first(zone.as_ref(), now, &mut wrong);
        let expires = self.expiry(zone.as_ref(), first, defaults, &mut wrong);
        let quiet = self.quiet(defaults, &mut wrong);
        if quiet.is_some() && zone.is_none() && self.zone.is_none() {
            wrong.add(
                "zone",
                "quiet hours need a time zone, such as Europe/Berlin",
            );
        }
        let retry = self.retry(defaults, &mut wrong);
        let message = self.message(defaults, &mut wrong);
        let (confirm, postpone) = self.keys(defaults, &mut wrong);
        self.lengths(&mut wrong);
        let parts = (target, first, expires, message);
        let (Some(target), Some((at, fit)), Some(expires), Some(message), true) =
            (parts.0, parts.1, parts.2, parts.3, wrong.0.is_empty())
        else {
            return Err(wrong.0);
        };
        let spec = Spec {
            target,
            from: self.from,
            at,
            zone: zone.map_or_else(|| "UTC".to_owned(), |(name, _)| name),
            quiet,
            retry,
            expires,
            message,
            variables: self.variables,
            confirm,
            postpone,
            reference: self.reference,
        };
        if spec.allowed(at) >= expires {
            let problem = "the reminder expires before its quiet hours are over";
            wrong.add("expires", problem);
            return Err(wrong.0);
        }
        Ok(Checked { spec, fit })
    }

    fn target(&self, defaults: &Defaults, wrong: &mut Problems) -> Option<Target> {
        match (&self.phone, &self.user) {
            (Some(_), None) if defaults.numbers.is_empty() => {
                let problem = "this bot has no application instance to call numbers from; \
                               use 'user', or configure one";
                wrong.add("phone", problem);
                None
            }
            (Some(phone), None) => wrong.take("phone", Target::phone(phone)),
            (None, Some(user)) => wrong.take("user", Target::user(user)),
            (None, None) => {
                wrong.add("phone", "either 'phone' or 'user' must be given");
                None
            }
            (Some(_), Some(_)) => {
                wrong.add("user", "either 'phone' or 'user' can be given, not both");
                None
            }
        }
    }

    fn caller(&self, defaults: &Defaults, wrong: &mut Problems) {
        let unknown = |from: &&String| !defaults.numbers.contains(from);
        if let Some(from) = self.from.as_ref().filter(unknown) {
            let there = defaults.numbers.join(", ");
            let problem = format!(
                "no number of ours is called '{}'; there are: {there}",
                shown(from)
            );
            wrong.add("from", problem);
        }
    }

    fn zone(&self, defaults: &Defaults, wrong: &mut Problems) -> Option<(String, TimeZone)> {
        let name = self.zone.as_ref().or(defaults.zone.as_ref())?;
        let Ok(zone) = TimeZone::get(name) else {
            let known = "is no time zone of the IANA database; Europe/Berlin is one";
            wrong.add("zone", format!("'{}' {known}", shown(name)));
            return None;
        };
        Some((name.clone(), zone))
    }

    fn first(
        &self,
        zone: Option<&(String, TimeZone)>,
        now: Timestamp,
        wrong: &mut Problems,
    ) -> Option<(Timestamp, Fit)> {
        let Some(at) = &self.at else {
            wrong.add("at", "the time of the call is missing");
            return None;
        };
        let (at, fit) = wrong.take("at", self.instant(at, zone))?;
        if at.duration_since(now) < -PAST {
            wrong.add("at", "is in the past");
        } else if at.duration_since(now) > AHEAD {
            wrong.add("at", "is more than two years ahead");
        }
        Some((at, fit))
    }

    fn instant(
        &self,
        text: &str,
        zone: Option<&(String, TimeZone)>,
    ) -> Result<(Timestamp, Fit), String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok((at, Fit::Exact));
        }
        let form = || format!("'{}' is no time such as 2026-03-29T09:00", shown(text));
        let local: DateTime = text.parse().map_err(|_| form())?;
        if !text.contains([':', 'T', 't']) {
            return Err(form());
        }
        match zone {
            Some((_, zone)) => schedule::instant(local, zone).map_err(|_| form()),
            // A zone that is unknown is reported already.
            None if self.zone.is_some() => Err("needs a time zone that is known".to_owned()),
            None => Err("needs 'zone', or an offset such as +02:00".to_owned()),
        }
    }

    fn expiry(
        &self,
        zone: Option<&(String, TimeZone)>,
        first: Option<(Timestamp, Fit)>,
        defaults: &Defaults,
        wrong: &mut Problems,
    ) -> Option<Timestamp> {
        let Some(text) = &self.expires else {
            return first?.0.checked_add(defaults.expires_after).ok();
        };
        let (expires, _) = wrong.take("expires", self.instant(text, zone))?;
        if first.is_some_and(|(at, _)| expires <= at) {
            wrong.add("expires", "must be after 'at'");
        } else if first.is_some_and(|(at, _)| expires.duration_since(at) > AHEAD) {
            wrong.add("expires", "is more than two years after 'at'");
        }
        Some(expires)
    }

    fn quiet(&self, defaults: &Defaults, wrong: &mut Problems) -> Option<QuietHours> {
        let mut time = |field, text: &str| -> Option<Time> {
            let problem = || format!("'{}' is no time such as 21:00", shown(text));
            wrong.take(field, text.parse().map_err(|_| problem()))
        };
        match (&self.quiet_from, &self.quiet_to) {
            (None, None) => defaults.quiet,
            (Some(from), Some(to)) => {
                let (from, to) = (time("quietFrom", from), time("quietTo", to));
                let hours = QuietHours::new(from?, to?);
                if hours.is_none() {
                    wrong.add("quietTo", "must differ from 'quietFrom'");
                }
                hours
            }
            (Some(_), None) => {
                wrong.add("quietTo", "is missing: 'quietFrom' is given");
                None
            }
            (None, Some(_)) => {
                wrong.add("quietFrom", "is missing: 'quietTo' is given");
                None
            }
        }
    }

    fn retry(&self, defaults: &Defaults, wrong: &mut Problems) -> Retry {
        let attempts = self.attempts.unwrap_or(defaults.retry.attempts);
        if !(1..=MAX_ATTEMPTS).contains(&attempts) {
            wrong.add("attempts", format!("must be 1 to {MAX_ATTEMPTS}"));
        }
        let spacing = self.spacing_minutes;
        if spacing.is_some_and(|minutes| !(1..=MAX_MINUTES).contains(&minutes)) {
            wrong.add("spacingMinutes", format!("must be 1 to {MAX_MINUTES}"));
        }
        Retry {
            attempts,
            spacing: spacing.map_or(defaults.retry.spacing, minutes),
        }
    }

    fn message(&self, defaults: &Defaults, wrong: &mut Problems) -> Option<Message> {
        match (&self.text, &self.prompt) {
            (Some(text), None) => {
                wrong.take("text", text::render(text, &self.variables))?;
                if !defaults.texts {
                    wrong.add("text", "this bot has no voice for texts; use 'prompt'");
                }
                Some(Message::Text(text.clone()))
            }
            (None, Some(prompt)) => {
                if !defaults.prompts.contains(prompt) {
                    let known = defaults.prompts.join(", ");
                    let problem = format!("no prompt '{}'; there are: {known}", shown(prompt));
                    wrong.add("prompt", problem);
                }
                if !self.variables.is_empty() {
                    wrong.add("variables", "a prompt has none; use 'text'");
                }
                Some(Message::Prompt(prompt.clone()))
            }
            (None, None) => {
                wrong.add("text", "either 'text' or 'prompt' must be given");
                None
            }
            (Some(_), Some(_)) => {
                wrong.add("prompt", "either 'text' or 'prompt' can be given, not both");
                None
            }
        }
    }

    fn keys(&self, defaults: &Defaults, wrong: &mut Problems) -> (Key, Option<Postponement>) {
        let confirm = self.confirm_key.as_deref();
        let confirm = confirm.and_then(|text| wrong.take("confirmKey", key(text)));
        let confirm = confirm.unwrap_or(defaults.confirm);
        let later = self.postpone_key.as_deref();
        let later = later.and_then(|text| wrong.take("postponeKey", key(text)));
        if later == Some(confirm) {
            wrong.add("postponeKey", "must differ from the key that confirms");
        }
        let by = self.postpone_minutes;
        if by.is_some_and(|by| !(MIN_POSTPONEMENT..=MAX_MINUTES).contains(&by)) {
            let range = format!("must be {MIN_POSTPONEMENT} to {MAX_MINUTES}");
            wrong.add("postponeMinutes", range);
        }
        if self.postpone_key.is_some() != by.is_some() {
            let problem = "'postponeKey' and 'postponeMinutes' go together";
            wrong.add("postponeMinutes", problem);
        }
        let postpone = later.zip(by);
        let postpone = postpone.map(|(key, by)| Postponement {
            key,
            by: minutes(by),
        });
        (confirm, postpone)
    }

    fn lengths(&self, wrong: &mut Problems) {
        let long = |text: &String| text.chars().count() > MAX_VALUE;
        if self.reference.as_ref().is_some_and(long) {
            wrong.add("reference", format!("has more than {MAX_VALUE} characters"));
        }
        if self.variables.len() > MAX_VARIABLES {
            wrong.add("variables", format!("are more than {MAX_VARIABLES}"));
        }
        for name in self.variables.keys().filter(|name| !text::is_name(name)) {
            wrong.add("variables", format!("'{}' is no name", shown(name)));
        }
        for (name, _) in self.variables.iter().filter(|(_, value)| long(value)) {
            let problem = format!("'{}' has more than {MAX_VALUE} characters", shown(name));
            wrong.add("variables", problem);
        }
    }
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(60 * u64::from(minutes))
}

fn key(text: &str) -> Result<Key, &'static str> {
    let mut characters = text.chars();
    let first = characters.next().and_then(Key::new);
    first
        .filter(|_| characters.next().is_none())
        .ok_or("is one key: 0-9, * or #")
}

/// The beginning of something, fit for a message.
pub(crate) fn shown(text: &str) -> String {
    let clean = text.chars().filter(|character| !character.is_control());
    clean.take(40).collect()
}

#[cfg(test)]
#[path = "draft_tests.rs"]
pub(crate) mod tests;
