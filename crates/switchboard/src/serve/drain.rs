//! How the service ends: the `[drain]` part of the settings.

use serde::{Deserialize, Serialize};
use switchboard_bot::flow::{Farewell, Flow};

/// How long calls may go on, and what becomes of those that do.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Drain {
    /// In seconds.
    pub(super) within: f64,
    /// Who takes callers whose calls go on for longer: a contact or a team of the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_to: Option<String>,
    /// What they are told before: a prompt of the flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<String>,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            within: 60.0,
            transfer_to: None,
            say: None,
        }
    }
}

/// Why the service can't end like that.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DrainError {
    #[error("drain.within is {0}; it must be from 0 to 3600 seconds")]
    Within(f64),
    #[error("drain.say is for callers who are passed on: name who takes them, drain.transfer_to")]
    OnlySays,
    #[error(
        "drain.transfer_to: the flow has no contact or team \"{0}\" that takes calls; add [contacts.{0}] with user or phone"
    )]
    NoTaker(String),
    #[error("drain.say: the flow has no prompt \"{0}\"; add [prompts.{0}]")]
    NoPrompt(String),
}

impl Drain {
    pub(super) fn check(&self) -> Result<(), DrainError> {
        if !(0.0..=3600.0).contains(&self.within) {
            return Err(DrainError::Within(self.within));
        }
        match self.say.is_some() && self.transfer_to.is_none() {
            true => Err(DrainError::OnlySays),
            false => Ok(()),
        }
    }

    /// Whether the flow has what is named.
    pub(super) fn check_with(&self, flow: &Flow) -> Result<(), DrainError> {
        let taker = self.transfer_to.as_deref();
        if let Some(name) = taker.filter(|name| !flow.has_taker(name)) {
            return Err(DrainError::NoTaker(name.to_owned()));
        }
        let known = |say: &str| flow.prompts().any(|(name, _)| name == say);
        match self.say.as_deref().filter(|say| !known(say)) {
            Some(say) => Err(DrainError::NoPrompt(say.to_owned())),
            None => Ok(()),
        }
    }

    /// Where callers come at the deadline, if they aren't hung up on.
    pub(super) fn farewell(&self) -> Option<Farewell> {
        Some(Farewell {
            transfer_to: self.transfer_to.clone()?,
            say: self.say.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: &str = "start = \"a\"\notherwise = \"a\"\ncontacts.ada.user = \"u\"\n\
        contacts.robot.bot = \"b\"\nprompts.wait.text = \"Wait.\"\nnodes.a.hang_up = true\n";

    fn told(settings: &str) -> String {
        let drain: Drain = toml::from_str(settings).unwrap_or_else(|error| panic!("{error}"));
        let flow = Flow::parse(FLOW).unwrap_or_else(|problems| panic!("{problems}"));
        let checked = drain.check().and_then(|()| drain.check_with(&flow));
        checked
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_named_must_be_there_and_take_calls() {
        assert_eq!(told(""), "");
        assert_eq!(told("transfer_to = \"ada\"\nsay = \"wait\""), "");
        for wrong in [
            "say = \"wait\"",
            "transfer_to = \"bob\"",
            "transfer_to = \"robot\"",
            "transfer_to = \"ada\"\nsay = \"weight\"",
        ] {
            assert!(told(wrong).starts_with("drain."), "{wrong}");
        }
    }
}
