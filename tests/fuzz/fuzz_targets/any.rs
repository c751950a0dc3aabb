//! Runs the target that the environment names.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use switchboard_tests::fuzz::TARGETS;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("SWITCHBOARD_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    found.expect("SWITCHBOARD_FUZZ_TARGET names no target").1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
