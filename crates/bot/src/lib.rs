//! Calling bots: a conversation over call control and media.
//!
//! [`Bot`] serves Graph's notifications and callers' media on one address. Each
//! call has a task of its own that owns everything about it: the call machine of
//! `switchboard-signaling`, the media session of `switchboard-transport`, and the
//! conversation, which is a [`flow`] made ready by a [`Script`].

#![forbid(unsafe_code)]

pub mod agent;
mod bot;
mod call;
mod conversation;
pub mod flow;
#[doc(hidden)]
pub mod fuzzing;
mod hook;
mod ledger;
mod observer;
mod patience;
pub mod program;
mod prompts;
mod script;
pub mod speech;

pub use bot::{
    ApplicationInstance, AzureMedia, AzureMediaError, Bot, BotConfig, BotError, Cloud, Destination,
    DialError, Dialer, EndError, Engines, Figures, LiveCall, OpeningError, Openings, OutgoingCall,
    Parts, PlacedCall, RoomError, RoomState, RoomStatus, Rooms,
};
pub use call::{CallNews, CallReport, FeatureChoice, Member, RoomWish};
pub use ledger::{FileLedger, Ledger, LedgerError};
pub use observer::{Observation, Observer, PromptProgress, nobody};
pub use prompts::{RecordingError, check_recording};
pub use script::{Script, ScriptError};
