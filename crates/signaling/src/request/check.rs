//! The documented rules, checked before a request leaves.

mod call;
mod duration;
mod media;
mod meeting;
mod people;
mod presence;
#[cfg(test)]
mod tests;

use std::fmt;

use url::Url;

use crate::http_client::is_protected;

/// A request breaks a documented rule; it was not sent.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{operation}: {field} is {value}, but {rule}")]
pub struct InvalidRequest {
    /// The operation.
    pub operation: &'static str,
    /// The property, for example `prompts[2].mediaInfo.uri`.
    pub field: String,
    /// What was found; long or personal values are described, not repeated.
    pub value: String,
    /// The rule.
    pub rule: &'static str,
}

/// Checks for one operation.
#[derive(Clone, Copy)]
pub(super) struct Check(pub(super) &'static str);

type Checked = Result<(), InvalidRequest>;

const MAX_CLIENT_CONTEXT: usize = 256;

impl Check {
    fn fail(
        self,
        field: impl fmt::Display,
        value: impl fmt::Display,
        rule: &'static str,
    ) -> Checked {
        Err(InvalidRequest {
            operation: self.0,
            field: field.to_string(),
            value: value.to_string(),
            rule,
        })
    }

    fn count(
        self,
        field: &str,
        found: usize,
        allowed: std::ops::RangeInclusive<usize>,
        rule: &'static str,
    ) -> Checked {
        if allowed.contains(&found) {
            return Ok(());
        }
        self.fail(field, format_args!("a list of {found}"), rule)
    }

    /// `https`; `http` only towards this machine, for the emulator.
    fn address(self, field: impl fmt::Display, text: &str) -> Checked {
        if Url::parse(text).is_ok_and(|url| is_protected(&url)) {
            return Ok(());
        }
        let shown = shortened(text);
        self.fail(
            field,
            shown,
            "it must be an https URL (http on a loopback address)",
        )
    }

    pub(super) fn callback(self, uri: Option<&String>) -> Checked {
        uri.map_or(Ok(()), |uri| self.address("callbackUri", uri))
    }

    pub(super) fn client_context(self, context: Option<&str>) -> Checked {
        match context.map_or(0, |context| context.chars().count()) {
            0..=MAX_CLIENT_CONTEXT => Ok(()),
            length => self.fail(
                "clientContext",
                format_args!("a text of {length} characters"),
                "at most 256 characters are allowed",
            ),
        }
    }

    /// A text that must be there, such as an id.
    fn text(self, field: &str, text: Option<&str>, rule: &'static str) -> Checked {
        match text {
            None => self.fail(field, "missing", rule),
            Some("") => self.fail(field, "empty", rule),
            Some(_) => Ok(()),
        }
    }

    fn within(
        self,
        field: &str,
        value: Option<i32>,
        allowed: std::ops::RangeInclusive<i32>,
        rule: &'static str,
    ) -> Checked {
        match value {
            Some(value) if !allowed.contains(&value) => self.fail(field, value, rule),
            _ => Ok(()),
        }
    }

    /// E.164: `+`, then up to 15 digits of which the first isn't 0. The number itself is
    /// personal, so the error describes it.
    fn phone(self, field: impl fmt::Display, number: &str) -> Checked {
        let digits = number.strip_prefix('+').unwrap_or_default();
        let well_formed = (2..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if well_formed {
            return Ok(());
        }
        let length = number.chars().count();
        self.fail(
            field,
            format_args!("a text of {length} characters"),
            "a phone number in E.164 form is needed, such as +12345678901",
        )
    }
}

/// A value fit for an error text.
fn shortened(text: &str) -> String {
    match text.chars().count() {
        0 => "empty".to_owned(),
        1..=80 => format!("{text:?}"),
        length => format!("a text of {length} characters"),
    }
}
