//! Reminder calls: when to call, how often, and what came of it.
//!
//! Plain logic: values and timestamps in, values out. [`draft`] turns what a person
//! asked for into a checked [`Spec`], from JSON or CSV ([`import`]) alike;
//! [`schedule`] knows time zones and quiet hours; [`Reminder`] is the state machine
//! that a store keeps and a runner drives.
//!
//! What it promises to the person called:
//! - never two calls at once for one reminder, whoever crashes when;
//! - no call in quiet hours, after the expiry, or after a confirmation;
//! - at most the attempts asked for, and their spacing in between. A call that *we*
//!   broke off is not an attempt: the person is called again.
//!
//! And to the one who asked: a reminder ends in exactly one [`Outcome`], which never
//! changes again. A key pressed is never kept, only what it meant.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod draft;
pub mod import;
mod limits;
mod machine;
pub mod schedule;
mod spec;
pub mod text;

pub use limits::{Bucket, Limits};
pub use machine::{
    Claim, Ending, MAX_INTERRUPTIONS, NotNow, Outcome, Refusal, Reminder, State, Terms, Verdict,
};
pub use spec::{Key, Message, Postponement, ReminderId, Retry, Spec, Target, TargetError};
