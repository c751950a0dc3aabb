//! `switchboard serve` calls reminders, whatever happens to it and to its database.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "../serve/collector.rs"]
mod collector;
mod killed;
#[path = "../../../store/tests/postgres/mod.rs"]
mod postgres;
mod rooms;
mod traces;
mod trouble;
mod world;
