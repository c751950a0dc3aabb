//! The service around a bot: reminders that are called when they are due, and the REST
//! API ([`api`]) that takes them and shows the calls that go on; a small page for people
//! ([`page`]) stands on it.
//!
//! It knows neither Graph nor media: whoever can place a call is a [`Dialer`], whoever has
//! the calls of this instance is a [`Switch`], whoever has its rooms is [`Rooms`], where
//! reminders are kept is a [`Ledger`]. The binary puts the real ones in.

#![forbid(unsafe_code)]

pub mod api;
mod clock;
mod dialer;
mod figures;
mod ledger;
mod news;
pub mod page;
mod roll;
mod rooms;
mod runner;
mod switch;

pub use clock::{Clock, SystemClock};
pub use dialer::{DialError, Dialer, Order, Placed, Progress};
pub use figures::Figure;
pub use ledger::Ledger;
pub use news::listen;
pub use roll::Roll;
pub use rooms::{Member, Room, RoomRefusal, RoomState, RoomWish, Rooms};
pub use runner::{Runner, RunnerConfig};
pub use switch::{LiveCall, Switch};
