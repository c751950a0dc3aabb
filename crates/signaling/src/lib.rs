//! Microsoft Graph call control: typed client, validated webhook and call state machine

pub mod auth;
pub mod types;
