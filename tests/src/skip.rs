//! Tests that can't run where they are. Test programs of other crates take this file in by its
//! path.

use std::fmt::Display;
use std::io::Write as _;

/// Says that this test doesn't run, and what it lacks: on standard error, and in the file that
/// `SWITCHBOARD_SKIPPED` names, which `scripts/test` shows at its end.
///
/// # Panics
/// With `SWITCHBOARD_NEED_PEERS=1`, by which nothing may be left out.
#[allow(clippy::print_stderr, reason = "a test that can't run says why")]
pub fn skipped(why: impl Display) {
    eprintln!("skipped: {why}");
    let test = std::thread::current();
    let line = format!("{}: {why}\n", test.name().unwrap_or("a test"));
    if let Some(path) = std::env::var_os("SWITCHBOARD_SKIPPED") {
        // Written at once, since tests are many.
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the list of skipped tests can't be written");
    }
    let needed = std::env::var_os("SWITCHBOARD_NEED_PEERS").is_some_and(|value| value == "1");
    assert!(!needed, "SWITCHBOARD_NEED_PEERS=1, but {line}");
}
