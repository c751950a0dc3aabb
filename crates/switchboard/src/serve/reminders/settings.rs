//! The `[reminders]` part of the settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchboard_reminders::draft::{Defaults, MAX_ATTEMPTS, MAX_MINUTES};
use switchboard_reminders::schedule::QuietHours;
use switchboard_reminders::{Key, Limits, Retry};
use switchboard_service::RunnerConfig;

/// Far more than Graph allows an application.
const MOST_CALLS: u32 = 10_000;

/// Why reminders can't be called by these settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReminderError {
    #[error("reminders.quiet must be two different times, such as [\"21:00\", \"08:00\"]")]
    Quiet,
    #[error("reminders.zone: '{0}' is no time zone of the IANA database")]
    Zone(String),
    #[error("reminders.{0} must be {1}")]
    Range(&'static str, String),
}

/// How reminders are called, where they don't say so themselves.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReminderSettings {
    /// Time zone of times without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    /// When nobody is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet: Option<[String; 2]>,
    attempts: u32,
    spacing_minutes: u32,
    expires_hours: u32,
    confirm_key: char,
    /// Calls at once, and new ones a second, of all instances that share the database.
    calls_at_once: u32,
    calls_per_second: u32,
    /// Calls at once of this instance; all of them if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_here: Option<u32>,
    /// How long it rings, in seconds.
    pub(super) ring_seconds: u8,
    /// Who handles the calls' media: `application` or `service`.
    pub(super) media: String,
    /// The language of texts.
    pub(super) language: String,
    /// What is said after a confirmation, after putting off, and at the end.
    pub(super) thanks: String,
    pub(super) later: String,
    pub(super) goodbye: String,
    /// Recordings that reminders may play. `thanks`, `later` and `goodbye` take the
    /// place of the texts.
    pub(super) prompts: BTreeMap<String, PathBuf>,
    /// The application instance in whose name numbers are called; the first if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::serve) from: Option<String>,
}

impl Default for ReminderSettings {
    fn default() -> Self {
        Self {
            zone: None,
            quiet: None,
            attempts: 3,
            spacing_minutes: 10,
            expires_hours: 24,
            confirm_key: '1',
            calls_at_once: 50,
            calls_per_second: 5,
            calls_here: None,
            ring_seconds: 30,
            media: "application".to_owned(),
            language: "en-US".to_owned(),
            thanks: "Thank you. Goodbye.".to_owned(),
            later: "All right, I will call again later. Goodbye.".to_owned(),
            goodbye: "Goodbye.".to_owned(),
            prompts: BTreeMap::new(),
            from: None,
        }
    }
}

impl ReminderSettings {
    pub(in crate::serve) fn runner(&self, instance: &str) -> RunnerConfig {
        RunnerConfig {
            limits: Limits {
                at_once: self.calls_at_once,
                per_second: self.calls_per_second,
            },
            at_once: self.calls_here.unwrap_or(self.calls_at_once) as usize,
            ..RunnerConfig::new(instance)
        }
    }

    /// `texts`: whether there is a voice; `numbers`: in whose name phones can be called.
    pub(in crate::serve) fn defaults(
        &self,
        texts: bool,
        numbers: &[String],
    ) -> Result<Defaults, ReminderError> {
        range("attempts", self.attempts, 1..=MAX_ATTEMPTS)?;
        range("spacing_minutes", self.spacing_minutes, 1..=MAX_MINUTES)?;
        range("expires_hours", self.expires_hours, 1..=24 * 366)?;
        // With none nobody would ever be called, and nothing would say so.
        range("calls_at_once", self.calls_at_once, 1..=MOST_CALLS)?;
        range("calls_per_second", self.calls_per_second, 1..=MOST_CALLS)?;
        range("calls_here", self.calls_here.unwrap_or(1), 1..=MOST_CALLS)?;
        range("ring_seconds", u32::from(self.ring_seconds), 30..=99)?;
        let confirm = Key::new(self.confirm_key);
        let confirm = confirm.ok_or_else(|| {
            ReminderError::Range("confirm_key", "one key: 0-9, * or #".to_owned())
        })?;
        if let Some(zone) = &self.zone
            && jiff::tz::TimeZone::get(zone).is_err()
        {
            return Err(ReminderError::Zone(zone.clone()));
        }
        Ok(Defaults {
            zone: self.zone.clone(),
            quiet: self.quiet()?,
            retry: Retry {
                attempts: self.attempts,
                spacing: Duration::from_secs(60 * u64::from(self.spacing_minutes)),
            },
            expires_after: Duration::from_secs(3600 * u64::from(self.expires_hours)),
            confirm,
            prompts: self.prompts.keys().cloned().collect(),
            texts,
            numbers: numbers.to_vec(),
        })
    }

    fn quiet(&self) -> Result<Option<QuietHours>, ReminderError> {
        let Some([from, to]) = &self.quiet else {
            return Ok(None);
        };
        let time = |text: &str| text.parse().map_err(|_| ReminderError::Quiet);
        let hours = QuietHours::new(time(from)?, time(to)?);
        hours.map(Some).ok_or(ReminderError::Quiet)
    }
}

fn range(
    name: &'static str,
    value: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<(), ReminderError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed = format!("{} to {}", allowed.start(), allowed.end());
    Err(ReminderError::Range(name, allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(settings: &str) -> String {
        let settings: ReminderSettings = toml::from_str(settings).expect("TOML");
        let defaults = settings.defaults(true, &[]).err();
        defaults.map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn settings_with_which_nobody_would_be_called_are_refused() {
        assert_eq!(told(""), "");
        for name in ["calls_at_once", "calls_per_second", "calls_here"] {
            let wanted = format!("reminders.{name} must be 1 to 10000");
            assert_eq!(told(&format!("{name} = 0")), wanted);
            assert_eq!(told(&format!("{name} = 1")), "");
        }
    }
}
