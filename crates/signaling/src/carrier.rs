//! How requests travel: over the network, or by a [`Carrier`] in its place.
//!
//! A simulation that brings its own carrier has the whole client, token cache and key source in
//! it, with nothing left out but sockets; its clock is [`clock`](crate::clock)'s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Request, RequestBuilder, Response};
use uuid::Uuid;

use crate::http_client;

/// Takes requests where they are to go, in the network's place.
#[async_trait]
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Brings the answer.
    async fn carry(&self, request: Request) -> Result<Response, CarryError>;

    /// A number in 0.0..1.0, which spreads repetitions.
    fn chance(&self) -> f64;
}

/// Why no answer came by a [`Carrier`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CarryError {
    /// Nothing was sent.
    #[error("nobody is there")]
    Unreachable,
    /// It may have been received.
    #[error("the connection broke")]
    Broken,
}

/// Sends requests.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    carried: Option<(Arc<dyn Carrier>, Duration)>,
}

/// Why there is no answer. Holds no address.
#[derive(Debug)]
pub enum SendError {
    /// Over the network.
    Network(reqwest::Error),
    /// By a carrier.
    Carried(CarryError),
    /// None in time.
    TimedOut,
}

impl Http {
    /// Over the network, with `client`'s time-outs.
    pub fn network(client: Client) -> Self {
        Self {
            client,
            carried: None,
        }
    }

    /// By `carrier`; an answer may take as long as `limit`. `client` only makes requests.
    pub fn carried(client: Client, carrier: Arc<dyn Carrier>, limit: Duration) -> Self {
        Self {
            client,
            carried: Some((carrier, limit)),
        }
    }

    /// The same with another limit, if it isn't the network.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        if let Some((_, old)) = &mut self.carried {
            *old = limit;
        }
        self
    }

    /// Makes requests; to be sent by [`send`](Self::send).
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request.
    ///
    /// # Errors
    /// [`SendError`]: there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let Some((carrier, limit)) = &self.carried else {
            return request.send().await.map_err(SendError::Network);
        };
        let request = request.build().map_err(SendError::Network)?;
        match tokio::time::timeout(*limit, carrier.carry(request)).await {
            Ok(answered) => answered.map_err(SendError::Carried),
            Err(_) => Err(SendError::TimedOut),
        }
    }

    /// A number in 0.0..1.0, different for each client and attempt.
    pub(crate) fn chance(&self) -> f64 {
        match &self.carried {
            Some((carrier, _)) => carrier.chance(),
            None => f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX),
        }
    }
}

impl SendError {
    /// Nothing was sent.
    pub fn is_connect(&self) -> bool {
        match self {
            Self::Network(error) => error.is_connect(),
            Self::Carried(error) => *error == CarryError::Unreachable,
            Self::TimedOut => false,
        }
    }

    /// No answer came in time.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Network(error) => error.is_timeout(),
            Self::Carried(_) => false,
            Self::TimedOut => true,
        }
    }

    /// The innermost cause, without an address.
    pub fn cause(&self) -> String {
        match self {
            Self::Network(error) => http_client::cause(error),
            Self::Carried(error) => error.to_string(),
            Self::TimedOut => "no answer came in time".to_owned(),
        }
    }
}

impl From<reqwest::Error> for SendError {
    fn from(error: reqwest::Error) -> Self {
        Self::Network(error)
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause())
    }
}

impl std::error::Error for SendError {}
