//! The REST API, as a client sees it.
#![allow(clippy::unwrap_used)]

mod calls;
mod fakes;
mod reminders;
mod roll;
mod rooms;
mod site;
mod tokens;
