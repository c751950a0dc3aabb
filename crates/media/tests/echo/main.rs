//! The echo of our own prompt is no speech, and whoever speaks over it is heard: whole legs
//! in media time, the caller's telephone giving back what it plays.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stdout, reason = "the figures in benches/README.md")]

mod telephone;

use telephone::{Telephone, interrupted, noticed};

/// Voices of each test; the figures are of all six.
const VOICES: usize = 1;

fn at_most(most: usize, what: &str, make: impl Fn(usize, f32) -> Telephone) {
    let interrupted = interrupted(VOICES, make);
    println!(
        "{what}: {interrupted} of {} prompts interrupted themselves",
        20 * VOICES
    );
    assert!(interrupted <= most);
}

#[test]
fn the_echo_of_a_prompt_does_not_interrupt_it() {
    at_most(1, "an echo", Telephone::new);
}

#[test]
fn without_the_guard_most_prompts_interrupt_themselves() {
    let interrupted = interrupted(VOICES, |delay, loss| Telephone {
        guarded: false,
        ..Telephone::new(delay, loss)
    });
    assert!(interrupted > 10 * VOICES, "{interrupted}");
}

#[test]
fn an_echo_that_changes_is_still_known() {
    at_most(1, "12 dB quieter", |delay, loss| {
        Telephone::changing(delay, loss, 12.0)
    });
    at_most(1, "9 dB louder", |delay, loss| {
        Telephone::changing(delay, loss, -9.0)
    });
}

#[test]
fn an_echo_through_a_room_is_still_known() {
    at_most(1, "a room", Telephone::in_a_room);
}

#[test]
fn an_echo_through_codecs_and_loss_is_still_known() {
    at_most(3, "Opus, 5 % lost", Telephone::lossy);
}

fn soon_enough(what: &str, make: impl Fn(usize, f32) -> Telephone) {
    let late = noticed(VOICES, make);
    let at = |share: usize| late[(late.len() - 1) * share / 100];
    let (p50, p90, most) = (at(50), at(90), at(100));
    println!(
        "{what}: noticed {} calls, ms: p50 {p50} p90 {p90} max {most}",
        late.len()
    );
    assert!(p90 <= 200 && most <= 1_000, "{late:?}");
}

#[test]
fn whoever_speaks_over_the_echo_is_noticed() {
    soon_enough("over an echo", Telephone::new);
}

#[test]
fn whoever_speaks_over_the_echo_of_a_room_is_noticed() {
    soon_enough("over a room's echo", Telephone::in_a_room);
}

#[test]
fn whoever_speaks_over_the_echo_is_noticed_through_codecs_and_loss() {
    soon_enough("Opus, 5 % lost", Telephone::lossy);
}

/// A line without any echo.
fn clean(guarded: bool) -> Telephone {
    Telephone {
        guarded,
        room: Vec::new(),
        ..Telephone::new(0, 0.0)
    }
}

#[test]
fn whoever_speaks_where_there_is_no_echo_is_noticed() {
    soon_enough("no echo, unguarded", |_, _| clean(false));
    soon_enough("no echo, guarded", |_, _| clean(true));
}
