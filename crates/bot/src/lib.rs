//! Calling bots: a conversation over call control and media.
//!
//! [`Bot`] serves Graph's notifications and callers' media on one address. Each
//! call has a task of its own that owns everything about it: the call machine of
//! `switchboard-signaling`, the media session of `switchboard-transport`, and the
//! conversation, which is plain logic ([`dialogue`]).

#![forbid(unsafe_code)]

mod bot;
mod call;
mod conversation;
pub mod dialogue;
pub mod flow;
mod observer;
mod prompts;

pub use bot::{Bot, BotConfig, BotError, Cloud, Engines};
pub use observer::{Observation, Observer, PromptProgress, nobody};
pub use prompts::{PromptName, Prompts};
