//! Microsoft Graph call control: typed client, validated webhook and call state machine
//!
//! - [`types`]: the resources, enumerations and bodies of cloud communications.
//! - [`request`]: each operation as a value: path, body, and the meaning of the response.
//! - [`client`]: sends requests, with [`token`]s, time-outs and retries.
//! - [`call`]: one call as a state machine, and the shell that runs it.
//! - [`webhook`]: what Graph posts to us, believed by [`auth`] and read by [`notification`].
//! - [`carrier`], [`clock`]: the network and the time, which a simulation brings itself.
//! - [`cloud`]: where Graph is, national clouds included.
//! - [`spans`]: what of it may be traced.
//! - [`error`]: what can go wrong, and whether it is safe to ask again.

// But for `call`, which does no IO: it says so itself.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod auth;
pub mod call;
pub mod carrier;
pub mod client;
pub mod clock;
pub mod cloud;
pub mod error;
mod http_client;
pub mod notification;
pub mod request;
pub mod spans;
pub mod token;
pub mod types;
pub mod webhook;
