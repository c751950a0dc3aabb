//! What a reminder is to do.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::schedule::QuietHours;
use crate::text::{self, TextError};

/// A reminder's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReminderId(pub Uuid);

impl fmt::Display for ReminderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ReminderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Who is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A phone number in E.164 form.
    Phone(String),
    /// The object id of a user.
    User(String),
}

/// Why nobody can be called by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a number of ITU-T E.164.
    #[error("a phone number is '+', the country code and the number: 7 to 15 digits, no spaces")]
    Phone,
    /// Not an id.
    #[error("a user is given by their object id, such as 6d1fcf1c-9e1a-4bf5-8a7e-0f3ec10e8ab1")]
    User,
}

impl Target {
    /// # Errors
    /// [`TargetError::Phone`]: not as in ITU-T E.164 §6.2.1.
    pub fn phone(number: &str) -> Result<Self, TargetError> {
        let digits = number.strip_prefix('+').ok_or(TargetError::Phone)?;
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole && (7..=15).contains(&digits.len()) && !digits.starts_with('0') {
            Ok(Self::Phone(number.to_owned()))
        } else {
            Err(TargetError::Phone)
        }
    }

    /// # Errors
    /// [`TargetError::User`]: not an object id.
    pub fn user(id: &str) -> Result<Self, TargetError> {
        let id = Uuid::try_parse(id).map_err(|_| TargetError::User)?;
        Ok(Self::User(id.hyphenated().to_string()))
    }
}

/// A key of a telephone, as configured: what a person presses is never kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(char);

impl Key {
    /// `0`–`9`, `*` or `#`.
    pub fn new(key: char) -> Option<Self> {
        matches!(key, '0'..='9' | '*' | '#').then_some(Self(key))
    }

    /// The key's character.
    pub fn get(self) -> char {
        self.0
    }
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Message {
    /// A prompt of the bot, by name.
    Prompt(String),
    /// A text for the synthesiser, with `{variables}`.
    Text(String),
}

/// How often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Calls at most, the first included.
    pub attempts: u32,
    /// From the end of one to the beginning of the next.
    pub spacing: Duration,
}

/// The key that puts a reminder off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponement {
    /// The key.
    pub key: Key,
    /// By how much.
    pub by: Duration,
}

/// What a reminder is to do; made by [`draft`](crate::draft), which checks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Who is called.
    pub target: Target,
    /// Which of the bot's numbers calls, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// When to call first.
    pub at: Timestamp,
    /// Name of the time zone of `quiet`, in the IANA database.
    pub zone: String,
    /// When nobody is called.
    pub quiet: Option<QuietHours>,
    /// How often to try.
    pub retry: Retry,
    /// From then on it makes no sense to call.
    pub expires: Timestamp,
    /// What is said.
    pub message: Message,
    /// Values of the text's variables.
    pub variables: BTreeMap<String, String>,
    /// The key that confirms.
    pub confirm: Key,
    /// The key that puts it off, if that is allowed.
    pub postpone: Option<Postponement>,
    /// What the one who asked calls it.
    pub reference: Option<String>,
}

impl Spec {
    /// `at`, or when the quiet hours it falls into are over.
    pub fn allowed(&self, at: Timestamp) -> Timestamp {
        let Some(quiet) = self.quiet else { return at };
        // A zone that a newer database no longer has is no reason to lose a reminder.
        let zone = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        quiet.next_allowed(at, &zone)
    }

    /// The text to say, if it is one.
    ///
    /// # Errors
    /// [`TextError`], never for a spec that was checked.
    pub fn text(&self) -> Result<Option<String>, TextError> {
        match &self.message {
            Message::Text(text) => text::render(text, &self.variables).map(Some),
            Message::Prompt(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_e164() {
        for good in ["+4915112345678", "+1234567", "+123456789012345"] {
            assert_eq!(Target::phone(good), Ok(Target::Phone(good.to_owned())));
        }
        for bad in [
            "",
            "+",
            "4915112345678",
            "+0151123456",
            "+49 151 1234567",
            "+123456",
            "+1234567890123456",
            "+49151123456a",
            "tel:+4915112345678",
            "+４９１５１１２３",
        ] {
            assert_eq!(Target::phone(bad), Err(TargetError::Phone), "{bad}");
        }
    }

    #[test]
    fn users_are_object_ids() {
        let id = "6D1FCF1C-9E1A-4BF5-8A7E-0F3EC10E8AB1";
        assert_eq!(Target::user(id), Ok(Target::User(id.to_lowercase())));
        assert_eq!(Target::user("adele@example.com"), Err(TargetError::User));
    }
}
