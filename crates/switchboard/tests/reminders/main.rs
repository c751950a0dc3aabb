//! `switchboard serve` calls reminders, whatever happens to it and to its database.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod killed;
#[path = "../../../store/tests/postgres/mod.rs"]
mod postgres;
mod trouble;
mod world;
