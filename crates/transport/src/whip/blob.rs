//! What our `appHostedMediaConfig.blob` says.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

const PROTOCOL: &str = "whip";
const VERSION: u32 = 1;

/// Where a call's media is to be offered, and the token that allows it once.
///
/// On the wire it is a JSON object in a string:
/// `{"protocol":"whip","version":1,"endpoint":"http://…","token":"…"}`.
#[derive(Clone)]
pub struct MediaBlob {
    /// The WHIP endpoint of this one call.
    pub endpoint: Url,
    /// Bearer token for one `POST` and the `DELETE` that ends it.
    pub token: SecretString,
}

/// Why a blob can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Not our JSON. Real Teams blobs come from Microsoft's Windows media
    /// library and end up here.
    #[error(
        "appHostedMediaConfig.blob is not a Switchboard media blob (a JSON object with protocol, version, endpoint and token)"
    )]
    NotOurs,
    /// Another protocol or version.
    #[error(
        "appHostedMediaConfig.blob speaks {protocol} version {version}; this side speaks {PROTOCOL} version {VERSION}"
    )]
    Version {
        /// The protocol it names.
        protocol: String,
        /// Its version.
        version: u32,
    },
    /// An endpoint that is neither http nor https.
    #[error("the endpoint in appHostedMediaConfig.blob must be an http or https URL with a host")]
    Endpoint,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    protocol: String,
    version: u32,
    endpoint: Url,
    token: String,
}

impl MediaBlob {
    /// Reads a blob.
    ///
    /// # Errors
    /// It is not one of ours; the text is never repeated in the error.
    pub fn parse(blob: &str) -> Result<Self, BlobError> {
        let wire: Wire = serde_json::from_str(blob).map_err(|_| BlobError::NotOurs)?;
        if wire.protocol != PROTOCOL || wire.version != VERSION {
            return Err(BlobError::Version {
                protocol: wire.protocol.chars().take(32).collect(),
                version: wire.version,
            });
        }
        if !matches!(wire.endpoint.scheme(), "http" | "https") || !wire.endpoint.has_host() {
            return Err(BlobError::Endpoint);
        }
        Ok(Self {
            endpoint: wire.endpoint,
            token: wire.token.into(),
        })
    }

    /// The string that goes into `appHostedMediaConfig.blob`. It holds the token.
    pub fn to_wire(&self) -> String {
        serde_json::json!({
            "protocol": PROTOCOL,
            "version": VERSION,
            "endpoint": self.endpoint,
            "token": self.token.expose_secret(),
        })
        .to_string()
    }
}

impl fmt::Debug for MediaBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaBlob")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_wire_and_hides_its_token() {
        let blob = MediaBlob {
            endpoint: Url::parse("http://127.0.0.1:1/media/x").unwrap(),
            token: "s3cret".into(),
        };
        let read = MediaBlob::parse(&blob.to_wire()).unwrap();
        assert_eq!(read.endpoint, blob.endpoint);
        assert_eq!(read.token.expose_secret(), "s3cret");
        assert!(!format!("{read:?}").contains("s3cret"));
    }

    #[test]
    fn refuses_what_it_does_not_speak() {
        let refused = |blob: &str| MediaBlob::parse(blob).unwrap_err().to_string();
        assert!(refused("<Microsoft's own>").contains("not a Switchboard media blob"));
        let other = r#"{"protocol":"whep","version":2,"endpoint":"http://h/","token":"t"}"#;
        assert!(refused(other).contains("whep version 2"));
        let file = r#"{"protocol":"whip","version":1,"endpoint":"file:///etc/passwd","token":"t"}"#;
        assert!(refused(file).contains("http or https"));
    }
}
