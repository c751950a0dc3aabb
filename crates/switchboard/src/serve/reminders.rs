//! Reminders: their settings, and their calls.

mod calls;
mod settings;

pub(super) use calls::{BotCalls, Making};
pub(super) use settings::ReminderSettings;

#[cfg(test)]
mod tests;
