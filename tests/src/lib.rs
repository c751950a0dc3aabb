//! Whole-call tests of Switchboard: what they share.
//!
//! [`demo`] runs the program as a newcomer does, [`browser`] is a headless
//! Chromium with a fake microphone, [`softphone`] is the page in one of its tabs,
//! [`fuzz`] is what must survive any bytes, [`service`] a bot in a process of its own,
//! [`leak`] one that must be found out, [`memory`] what such a process holds, [`trace`] what it asks of the kernel, [`canaries`] what
//! nobody may keep, [`simulation`] bot and emulator on virtual time,
//! [`stage`] what scripted people meet with, [`skip`] what tells that a test can't run, [`engine`] who understands them.

#![forbid(unsafe_code)]

pub mod barriers;
pub mod browser;
pub mod canaries;
pub mod cloud;
pub mod demo;
pub mod desk;
pub mod engine;
pub mod fuzz;
pub mod leak;
pub mod memory;
pub mod patience;
pub mod service;
pub mod simulation;
pub mod skip;
pub mod softphone;
pub mod stage;
pub mod trace;

/// What a test fails with.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A file under `fixtures/`.
pub fn fixture(name: &str) -> std::path::PathBuf {
    workspace().join("fixtures").join(name)
}

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn workspace() -> &'static std::path::Path {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}
