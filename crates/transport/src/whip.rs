//! WebRTC-HTTP ingestion (RFC 9725) with audio in both directions: how a bot's
//! media endpoint is found, entered and left.
//!
//! The bot [reserves](WhipEndpoint::reserve) an entry and puts its
//! [`MediaBlob`] into Graph's `appHostedMediaConfig.blob`. Whoever holds the
//! blob `POST`s an SDP offer with its one-time token and gets `201` with the
//! answer and a `Location`; `DELETE` on that location ends the session.

mod blob;
mod client;
mod endpoint;

pub use blob::{BlobError, MediaBlob};
pub use client::{WhipAnswer, WhipClient, WhipError};
pub use endpoint::{Reservation, WhipEndpoint};

/// The media type of offers and answers (RFC 8866 §8.1).
pub const SDP_MEDIA_TYPE: &str = "application/sdp";
