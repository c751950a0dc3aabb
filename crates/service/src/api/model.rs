//! Reminders as the API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use switchboard_reminders::draft::Draft;
use switchboard_reminders::schedule::Fit;
use switchboard_reminders::{Message, Outcome, Reminder, ReminderId, State, Target, Verdict};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::problem::Wrong;

/// A reminder to make. Times are local to `zone` (`2026-03-29T09:00`), or have an
/// offset (`2026-03-29T09:00+02:00`).
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NewReminder {
    /// Whom to call: an E.164 number; or `user`.
    #[schema(example = "+4915112345678")]
    phone: Option<String>,
    /// Whom to call: the object id of a user.
    user: Option<String>,
    /// Which of the bot's numbers calls, by its name in the settings.
    from: Option<String>,
    /// When to call first. A time that clocks skip is moved on by as much; of one that
    /// comes twice the first counts.
    #[schema(required, example = "2026-03-29T09:00")]
    at: Option<String>,
    /// Time zone, by its IANA name.
    #[schema(example = "Europe/Berlin")]
    zone: Option<String>,
    /// From then on it makes no sense to call.
    expires: Option<String>,
    /// What to say, with `{variables}`; or `prompt`.
    text: Option<String>,
    /// What to play: a prompt of the bot.
    prompt: Option<String>,
    /// Values of the text's variables.
    variables: BTreeMap<String, String>,
    /// Calls at most, 1–10.
    attempts: Option<u32>,
    /// Minutes between them.
    spacing_minutes: Option<u32>,
    /// Nobody is called from then, local time …
    #[schema(example = "21:00")]
    quiet_from: Option<String>,
    /// … until then.
    #[schema(example = "08:00")]
    quiet_to: Option<String>,
    /// The key that confirms.
    confirm_key: Option<String>,
    /// The key that puts it off …
    postpone_key: Option<String>,
    /// … by so many minutes.
    postpone_minutes: Option<u32>,
    /// Yours, for finding it again.
    reference: Option<String>,
}

impl From<NewReminder> for Draft {
    fn from(new: NewReminder) -> Self {
        Self {
            phone: new.phone,
            user: new.user,
            from: new.from,
            at: new.at,
            zone: new.zone,
            expires: new.expires,
            text: new.text,
            prompt: new.prompt,
            variables: new.variables,
            attempts: new.attempts,
            spacing_minutes: new.spacing_minutes,
            quiet_from: new.quiet_from,
            quiet_to: new.quiet_to,
            confirm_key: new.confirm_key,
            postpone_key: new.postpone_key,
            postpone_minutes: new.postpone_minutes,
            reference: new.reference,
        }
    }
}

/// Where a reminder stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Phase {
    /// For its time.
    Waiting,
    /// Being called.
    Calling,
    /// Over; see `outcome`.
    Done,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Done => "done",
        }
    }
}

/// What came of a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Result {
    /// The person confirmed.
    Confirmed,
    /// The last call was answered, and not confirmed.
    Unconfirmed,
    /// The last call was not answered.
    Unreached,
    /// Its time passed before a call could be tried.
    Expired,
    /// It was taken back.
    Cancelled,
    /// This person or number can't be called at all.
    Uncallable,
    /// The bot broke off too many calls.
    Failed,
}

impl From<Outcome> for Result {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Confirmed => Self::Confirmed,
            Outcome::Unconfirmed => Self::Unconfirmed,
            Outcome::Unreached => Self::Unreached,
            Outcome::Expired => Self::Expired,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Uncallable => Self::Uncallable,
            Outcome::Failed => Self::Failed,
        }
    }
}

impl From<Result> for Outcome {
    fn from(result: Result) -> Self {
        match result {
            Result::Confirmed => Self::Confirmed,
            Result::Unconfirmed => Self::Unconfirmed,
            Result::Unreached => Self::Unreached,
            Result::Expired => Self::Expired,
            Result::Cancelled => Self::Cancelled,
            Result::Uncallable => Self::Uncallable,
            Result::Failed => Self::Failed,
        }
    }
}

/// A reminder. Which keys were pressed is not part of it, and is stored nowhere.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReminderView {
    /// Its id.
    id: Uuid,
    /// Where it stands.
    state: Phase,
    /// What came of it. Given during the call already once the person has confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Result>,
    /// When the next call is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    call_at: Option<Timestamp>,
    /// Whether it will be over when the call under way is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cancelling: bool,
    /// Calls that rang, since the person last put it off.
    attempts: u32,
    /// How often the person put it off.
    postponements: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Whom to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// When to call first.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// How `at` was found, if local time has a gap or comes twice there.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_note: Option<&'static str>,
    /// Time zone of the quiet hours.
    zone: String,
    /// From then on it makes no sense to call.
    #[schema(value_type = String, format = DateTime)]
    expires: Timestamp,
    /// What is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// What is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// Values of the text's variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: BTreeMap<String, String>,
    /// Yours.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

impl ReminderView {
    pub(super) fn new(reminder: Reminder, fit: Fit) -> Self {
        let (phone, user) = match reminder.spec.target {
            Target::Phone(phone) => (Some(phone), None),
            Target::User(user) => (None, Some(user)),
        };
        let (text, prompt) = match reminder.spec.message {
            Message::Text(text) => (Some(text), None),
            Message::Prompt(prompt) => (None, Some(prompt)),
        };
        let (state, outcome, call_at) = match reminder.state {
            State::Waiting { at } => (Phase::Waiting, None, Some(at)),
            State::Dialing { .. } | State::Calling { .. } => {
                let confirmed = reminder.verdict == Some(Verdict::Confirmed);
                (Phase::Calling, confirmed.then_some(Result::Confirmed), None)
            }
            State::Done { outcome, .. } => (Phase::Done, Some(outcome.into()), None),
        };
        Self {
            id: reminder.id.0,
            state,
            outcome,
            call_at,
            cancelling: reminder.verdict == Some(Verdict::Cancelled),
            attempts: reminder.attempts,
            postponements: reminder.postponements,
            created: reminder.created,
            phone,
            user,
            at: reminder.spec.at,
            at_note: match fit {
                Fit::Exact => None,
                Fit::Gap => Some("clocks skip this time: moved on by as much"),
                Fit::Fold => Some("this time comes twice: the first one"),
            },
            zone: reminder.spec.zone,
            expires: reminder.spec.expires,
            text,
            prompt,
            variables: reminder.spec.variables,
            reference: reminder.spec.reference,
        }
    }

    pub(super) fn is_calling(&self) -> bool {
        self.state == Phase::Calling
    }
}

impl From<Reminder> for ReminderView {
    fn from(reminder: Reminder) -> Self {
        Self::new(reminder, Fit::Exact)
    }
}

/// Which reminders to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Where they stand.
    #[param(inline)]
    pub(super) state: Option<Phase>,
    /// What came of them.
    #[param(inline)]
    pub(super) outcome: Option<Result>,
    /// With this reference.
    pub(super) reference: Option<String>,
    /// So many, 1–500; 100 if not given.
    #[param(minimum = 1, maximum = 500)]
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    pub(super) after: Option<String>,
}

/// A page of reminders, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReminderPage {
    /// They.
    pub(super) reminders: Vec<ReminderView>,
    /// Give it as `after` for the next page; there is none without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// How to import.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportOptions {
    /// Keep the good rows of a file that has broken ones.
    pub(super) keep_good: bool,
}

/// What an import made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Imported {
    /// Ids, in the order of the file's good rows.
    pub(super) created: Vec<Uuid>,
    /// What is wrong with the others.
    pub(super) errors: Vec<Wrong>,
}

pub(super) fn new_id() -> ReminderId {
    ReminderId(Uuid::new_v4())
}
