//! The side that brings an offer.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{MediaBlob, SDP_MEDIA_TYPE};
use crate::sdp::MAX_BYTES;

/// A media endpoint that takes longer than this to answer is no use to a caller.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an endpoint gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum WhipError {
    /// No HTTP answer was had.
    #[error("the media endpoint could not be reached: {0}")]
    Unreachable(reqwest::Error),
    /// An answer, but a refusal.
    #[error("the media endpoint refused the offer with HTTP {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The endpoint's own words, shortened.
        reason: String,
    },
    /// `201` without what RFC 9725 §4.2 demands.
    #[error("the media endpoint's answer is not RFC 9725's: {0}")]
    Protocol(&'static str),
}

/// A successful exchange.
#[derive(Debug, Clone)]
pub struct WhipAnswer {
    /// The SDP answer.
    pub sdp: String,
    /// Where the session can be ended.
    pub location: Url,
}

/// Offers sessions to WHIP endpoints. Follows no redirects: the token is meant
/// for one host.
#[derive(Clone)]
pub struct WhipClient {
    http: reqwest::Client,
}

impl WhipClient {
    /// A client with bounded time and no redirects.
    ///
    /// # Errors
    /// The TLS backend could not be initialised.
    pub fn new() -> Result<Self, WhipError> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(WhipError::Unreachable)?;
        Ok(Self { http })
    }

    /// Posts an offer and returns the answer.
    ///
    /// # Errors
    /// The endpoint can't be reached, refuses, or breaks the protocol.
    pub async fn offer(&self, blob: &MediaBlob, sdp: &str) -> Result<WhipAnswer, WhipError> {
        let response = self
            .http
            .post(blob.endpoint.clone())
            .bearer_auth(blob.token.expose_secret())
            .header(CONTENT_TYPE, SDP_MEDIA_TYPE)
            .body(sdp.to_owned())
            .send()
            .await
            .map_err(|error| WhipError::Unreachable(error.without_url()))?;
        let status = response.status();
        let location = response.headers().get(LOCATION).cloned();
        let body = bounded_text(response).await?;
        if status != StatusCode::CREATED {
            return Err(WhipError::Refused {
                status: status.as_u16(),
                reason: body.chars().take(200).collect(),
            });
        }
        let location = location
            .and_then(|value| blob.endpoint.join(value.to_str().ok()?).ok())
            .filter(|location| location.origin() == blob.endpoint.origin())
            .ok_or(WhipError::Protocol(
                "no Location on the endpoint's own origin",
            ))?;
        Ok(WhipAnswer {
            sdp: body,
            location,
        })
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The endpoint can't be reached or refuses; a session that is gone already
    /// (`404`) is a success.
    pub async fn delete(&self, location: &Url, token: &SecretString) -> Result<(), WhipError> {
        let response = self
            .http
            .delete(location.clone())
            .bearer_auth(token.expose_secret())
            .send()
            .await
            .map_err(|error| WhipError::Unreachable(error.without_url()))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(WhipError::Refused {
            status: status.as_u16(),
            reason: String::new(),
        })
    }
}

async fn bounded_text(mut response: reqwest::Response) -> Result<String, WhipError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(WhipError::Unreachable)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(WhipError::Protocol("the body is too large for an SDP"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| WhipError::Protocol("the body is not UTF-8"))
}
