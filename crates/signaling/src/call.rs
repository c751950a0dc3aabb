//! One call's control, as a state machine without IO.
//!
//! [`CallMachine`] is told what happened and asked what follows, in the manner of str0m and
//! quinn-proto: notifications, responses, commands and the time go in; requests, events and the
//! next time-out come out. It reads no clock and sends nothing. [`CallDriver`] is the thin shell
//! that does, with a [`GraphClient`](crate::client::GraphClient) and tokio.
//!
//! What it sees to:
//! - **Deadlines.** An incoming call is answered within 15 s (5 s for policy recording) or given
//!   up; keepAlive goes out every 15 minutes, well before Graph ends the call after 45.
//! - **Nothing twice.** An answer, transfer or prompt whose fate is unknown is never repeated
//!   blindly: the call is read, and Graph's state decides.
//! - **Nothing lost for good.** When an awaited change doesn't come, or a notification doesn't
//!   fit, the call is read. A `404` or `410` on the call ends it.
//! - **An end.** Each command is followed by one event that settles it; each call by one
//!   [`CallEvent::Terminated`], after which nothing comes.
//! - **Order.** Notifications come repeated, late and out of order
//!   ([call: answer](https://learn.microsoft.com/graph/api/call-answer)): states only advance
//!   unless Graph confirms a step back, rosters and tones follow their sequence numbers.
//!
//! ```
//! use std::time::Instant;
//! use switchboard_signaling::call::{CallConfig, CallMachine, Command};
//! use switchboard_signaling::types::RejectRequest;
//!
//! let now = Instant::now();
//! let mut call = CallMachine::incoming(now, "57dab8b1-894c".parse()?, CallConfig::default());
//! call.command(now, Command::Reject(RejectRequest::default()))?;
//! let (_, request) = call.poll_request().expect("the rejection is to be sent");
//! assert_eq!(request.path(), "/communications/calls/57dab8b1-894c/reject");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod answering;
mod command;
mod driver;
mod ending;
mod event;
mod exchange;
mod following;
mod machine;
mod operations;
mod reconciler;
mod roster;
mod state;
#[cfg(test)]
mod test_bench;
mod tones;
mod transfer;
mod working;

pub use command::{Command, CommandError, CommandId};
pub use driver::CallDriver;
pub use event::{CallEvent, Cause, Failure, Termination};
pub use exchange::{Request, RequestId, Response};
pub use machine::{CallConfig, CallMachine};
pub use roster::{Roster, RosterChange};
pub use tones::ToneOrder;
