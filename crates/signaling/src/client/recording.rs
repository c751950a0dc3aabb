//! Fetching what a caller said in answer to `recordResponse`, into memory and no further.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::Response;
use zeroize::Zeroizing;

use super::GraphClient;
use crate::http_client;
use crate::request::{RecordingRefused, recording_of};
use crate::types::CommsOperation;

/// More than two minutes of 16 bit, 16 kHz sound, the longest a recording can be.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A recording wasn't fetched, or not to its end. Holds nothing of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It isn't asked for.
    #[error(transparent)]
    Refused(#[from] RecordingRefused),
    /// The token can't be sent.
    #[error("recordingAccessToken is no token that can be sent")]
    Token,
    /// The host answered with an error.
    #[error("the recording's host answered {0}; recordings are discarded soon after the call")]
    Status(StatusCode),
    /// Longer than a recording can be.
    #[error("the recording is longer than two minutes can be; it was not read to its end")]
    TooLarge,
    /// The exchange broke off.
    #[error("the exchange with the recording's host broke off ({0})")]
    Interrupted(String),
}

/// A recording as it arrives. Each part is wiped when it is dropped; the HTTP library's own
/// buffers are beyond reach. Never to be written to a file or a log.
pub struct Recording {
    response: Response,
    read: u64,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// The media type, where the host says it.
    pub fn content_type(&self) -> Option<&str> {
        self.response.headers().get(CONTENT_TYPE)?.to_str().ok()
    }

    /// The next part; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, RecordingError> {
        let chunk = self.response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| interrupted(&error))? else {
            return Ok(None);
        };
        self.read += chunk.len() as u64;
        if self.read > MAX_BYTES {
            return Err(RecordingError::TooLarge);
        }
        Ok(Some(Zeroizing::new(chunk.to_vec())))
    }
}

fn interrupted(error: &reqwest::Error) -> RecordingError {
    RecordingError::Interrupted(http_client::cause(error))
}

impl GraphClient {
    /// Fetches the recording of a completed `recordResponse` operation, with the operation's
    /// own token, from a host that
    /// [`RecordingHosts`](crate::request::RecordingHosts) allow.
    ///
    /// # Errors
    /// [`RecordingError`]; a refused host isn't connected to, and no redirect is followed.
    pub async fn recording(&self, operation: &CommsOperation) -> Result<Recording, RecordingError> {
        let hosts = &self.inner.config.recording_hosts;
        let (location, token) = recording_of(operation, &self.inner.base, hosts)?;
        let bearer = format!("Bearer {}", token.expose());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| RecordingError::Token)?;
        bearer.set_sensitive(true);
        let http = &self.inner.http;
        let request = http.client().get(location).timeout(TIMEOUT);
        let response = http.send(request.header(AUTHORIZATION, bearer)).await;
        let response = response.map_err(|error| RecordingError::Interrupted(error.cause()))?;
        if !response.status().is_success() {
            return Err(RecordingError::Status(response.status()));
        }
        if response
            .content_length()
            .is_some_and(|length| length > MAX_BYTES)
        {
            return Err(RecordingError::TooLarge);
        }
        Ok(Recording { response, read: 0 })
    }
}
