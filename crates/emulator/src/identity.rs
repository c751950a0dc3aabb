//! The emulated identity services: Entra's token endpoint for applications, and the
//! Bot Framework's configuration and keys for those who validate notifications.
//!
//! Both sign with the same key pair, made anew at every start and never written
//! anywhere.

mod keys;
mod routes;
mod tokens;

pub(crate) use keys::KeyRing;
pub(crate) use routes::router;
pub(crate) use tokens::{Access, AccessError, Identity, ROLES};
