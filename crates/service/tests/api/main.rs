//! The REST API, as a client sees it.
#![allow(clippy::unwrap_used)]

mod calls;
mod reminders;
mod roll;
mod site;
mod tokens;
