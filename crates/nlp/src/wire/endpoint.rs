//! Where an engine is, and how to reach it safely.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a shell that does IO"
)]

use std::fmt;
use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, DEFAULT_VERSIONS};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};
use url::{Host, Url};

use super::{LARGEST_MESSAGE, SUBPROTOCOL};

/// A byte stream, with TLS or without.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Socket for T {}

pub(crate) type WebSocket = WebSocketStream<Box<dyn Socket>>;

/// The largest message accepted from a voice agent: a minute of its audio.
const LARGEST_AUDIO: usize = 4 * 1024 * 1024;
/// The header by which Azure Communication Services names a stream's call.
const CALL: &str = "x-ms-call-connection-id";

/// An engine's address with what proves who we are and who it is.
pub struct Endpoint {
    host: Host<String>,
    port: u16,
    request: Request<()>,
    tls: Option<Arc<ClientConfig>>,
    largest: usize,
}

/// An address that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Neither `wss` nor `ws`.
    #[error("the engine's URL must begin with wss:// (or ws:// on this machine)")]
    Scheme,
    /// Audio and token would cross a network in the clear.
    #[error(
        "ws:// is allowed to loopback addresses only; use wss:// for an engine on another machine"
    )]
    Plain,
    /// Credentials belong in the token.
    #[error(
        "the engine's URL must not contain a user name or password; configure the token instead"
    )]
    UserInfo,
    /// Not a URL to connect to.
    #[error("the engine's URL has no usable host")]
    Host,
    /// Not fit for a header.
    #[error("the engine's token has characters that can't be sent")]
    Token,
    /// No certificates, or not as PEM.
    #[error("the certificates to trust can't be read: they must be PEM, and at least one")]
    Roots,
    /// TLS can't be set up.
    #[error("TLS to the engine can't be set up: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// A connection that was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("connecting failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the WebSocket was refused: {0}")]
    WebSocket(#[from] tungstenite::Error),
}

/// The certificates in a file (PEM), to be trusted by an [`Endpoint`].
///
/// # Errors
/// [`EndpointError::Roots`]: there is none, or one that can't be read.
pub fn roots_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, EndpointError> {
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match roots {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(EndpointError::Roots),
    }
}

impl Endpoint {
    /// An engine at `url`. The bearer `token` (RFC 6750) goes with every
    /// connection; `roots` are trusted besides the system's own.
    ///
    /// # Errors
    /// The address is unsafe or unusable.
    pub fn new(
        url: &Url,
        token: Option<&SecretString>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, EndpointError> {
        Self::speaking(url, token, roots, Some(SUBPROTOCOL), LARGEST_MESSAGE)
    }

    /// A voice agent at `url`, which speaks one of the [adapters'](crate::adapter)
    /// protocols.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn agent(
        url: &Url,
        token: Option<&SecretString>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, EndpointError> {
        Self::speaking(url, token, roots, None, LARGEST_AUDIO)
    }

    fn speaking(
        url: &Url,
        token: Option<&SecretString>,
        roots: Vec<CertificateDer<'static>>,
        subprotocol: Option<&'static str>,
        largest: usize,
    ) -> Result<Self, EndpointError> {
        let host = url.host().ok_or(EndpointError::Host)?.to_owned();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        let tls = match url.scheme() {
            "wss" => Some(Arc::new(tls(roots)?)),
            "ws" if is_loopback(&host) => None,
            "ws" => return Err(EndpointError::Plain),
            _ => return Err(EndpointError::Scheme),
        };
        Ok(Self {
            port: url.port_or_known_default().ok_or(EndpointError::Host)?,
            request: request(url, token, subprotocol)?,
            host,
            tls,
            largest,
        })
    }

    pub(super) async fn open(&self) -> Result<WebSocket, OpenError> {
        self.send(self.request.clone()).await
    }

    /// Opens a connection that names a call.
    pub(crate) async fn open_for(&self, call: &str) -> Result<WebSocket, OpenError> {
        let mut request = self.request.clone();
        if let Ok(call) = HeaderValue::try_from(call) {
            request.headers_mut().insert(CALL, call);
        }
        self.send(request).await
    }

    async fn send(&self, request: Request<()>) -> Result<WebSocket, OpenError> {
        let tcp = match &self.host {
            Host::Domain(domain) => TcpStream::connect((domain.as_str(), self.port)).await?,
            Host::Ipv4(address) => TcpStream::connect((*address, self.port)).await?,
            Host::Ipv6(address) => TcpStream::connect((*address, self.port)).await?,
        };
        tcp.set_nodelay(true)?;
        let socket: Box<dyn Socket> = match &self.tls {
            None => Box::new(tcp),
            Some(config) => Box::new(
                TlsConnector::from(Arc::clone(config))
                    .connect(self.server_name()?, tcp)
                    .await?,
            ),
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.largest))
            .max_frame_size(Some(self.largest))
            .write_buffer_size(0);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(request, socket, Some(config)).await?;
        Ok(socket)
    }

    fn server_name(&self) -> std::io::Result<ServerName<'static>> {
        let name = match &self.host {
            Host::Domain(domain) => {
                ServerName::try_from(domain.clone()).map_err(std::io::Error::other)?
            }
            Host::Ipv4(address) => ServerName::IpAddress((*address).into()),
            Host::Ipv6(address) => ServerName::IpAddress((*address).into()),
        };
        Ok(name)
    }
}

/// Host and port; a URL's path and query may hold secrets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(domain) => domain == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn tls(roots: Vec<CertificateDer<'static>>) -> Result<ClientConfig, EndpointError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))?;
    let config =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS)?;
    // "Dangerous" only by name: the verifier is the platform's.
    let config = config
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

fn request(
    url: &Url,
    token: Option<&SecretString>,
    subprotocol: Option<&'static str>,
) -> Result<Request<()>, EndpointError> {
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|_| EndpointError::Host)?;
    let headers = request.headers_mut();
    if let Some(subprotocol) = subprotocol {
        let name = HeaderValue::from_static(subprotocol);
        headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
    }
    if let Some(token) = token {
        let bearer = zeroize::Zeroizing::new(format!("Bearer {}", token.expose_secret()));
        let mut value = HeaderValue::try_from(bearer.as_str()).map_err(|_| EndpointError::Token)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, EndpointError> {
        Endpoint::new(&Url::parse(url).unwrap(), None, Vec::new())
    }

    #[test]
    fn plain_connections_stay_on_this_machine() {
        for url in ["ws://127.0.0.1:9/", "ws://[::1]:9/", "ws://localhost:9/"] {
            assert!(endpoint(url).is_ok(), "{url}");
        }
        assert!(matches!(
            endpoint("ws://engine.example/"),
            Err(EndpointError::Plain)
        ));
        assert!(matches!(
            endpoint("ws://127.0.0.1.example/"),
            Err(EndpointError::Plain)
        ));
        assert!(matches!(
            endpoint("http://127.0.0.1/"),
            Err(EndpointError::Scheme)
        ));
        assert!(matches!(
            endpoint("wss://me:secret@engine.example/"),
            Err(EndpointError::UserInfo)
        ));
        assert!(endpoint("wss://engine.example/nlp").is_ok());
    }

    #[test]
    fn an_endpoint_shows_no_path_and_no_token() {
        let url = Url::parse("wss://engine.example/nlp?key=secret").unwrap();
        let token = SecretString::from("hunter2");
        let endpoint = Endpoint::new(&url, Some(&token), Vec::new()).unwrap();
        assert_eq!(endpoint.to_string(), "engine.example:443");
        assert!(!format!("{:?}", endpoint.request.headers()).contains("hunter2"));
    }
}
