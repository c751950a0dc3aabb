//! An emulator of Microsoft Graph's calling cloud with signed webhooks, real media and a softphone page
//!
//! [`Emulator::start`] serves, on one TCP port:
//! - identity: the OAuth token endpoint, OpenID configurations and the key set;
//! - Graph: the operations of `/v1.0/communications/calls`, with Graph's errors;
//! - the softphone page and its WebSocket;
//! - `/admin`: faults on demand, the clock, key rollover, and what the judge saw.
//!
//! Notifications go to the application's webhook, signed as the Bot Framework
//! channel signs them, with a key made at every start.
//!
//! `cloud` is the calling cloud itself, without IO: requests, phone messages, media
//! reports and the time go in; notifications, phone messages and media actions come
//! out. `shell` carries them out.

#![forbid(unsafe_code)]

mod admin;
mod cloud;
mod config;
mod emulator;
mod faults;
mod graph;
mod identity;
mod journal;
mod judge;
mod network;
mod page;
mod phone;
pub mod scenario;
mod settings;
mod shell;
pub mod simulation;
mod spoil;
mod timeline;
mod tls;

pub use config::{App, EmulatorConfig, EmulatorError};
pub use emulator::Emulator;
pub use network::{Conditions, Direction, NetworkRule, NetworkRuleError};
pub use phone::{
    EndReason, IncomingReason, Named, Participant, Phone, PhoneCallState, PhoneCommand, PhoneEvent,
    PhoneInfo, PhoneRole, PhoneUser,
};
pub use settings::{AppSettings, DirectoryId, Role, SettingsFile, ValueError, socket_address};
pub use shell::Counts;
pub use timeline::{CallEvent, CallProgress, PromptState, Timeline, TimelineEvent};
pub use tls::{Tls, TlsError};
