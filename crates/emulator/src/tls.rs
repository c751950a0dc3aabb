//! TLS on the emulator's one port: some clients, among them Microsoft's own credentials, send
//! secrets and tokens over nothing else.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use zeroize::Zeroizing;

/// A client that has not shaken hands by then is sent away.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Handshakes under way at once; further clients wait for one to end.
const MAX_HANDSHAKES: usize = 256;
/// What the server behind it speaks (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";
/// The first byte of each handshake (RFC 8446 §5.1).
const HANDSHAKE_RECORD: u8 = 22;
/// Whoever speaks HTTP here would else be told nothing that it understands.
const USE_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
      content-length: 52\r\nconnection: close\r\n\r\n\
      this port speaks TLS: ask with https instead of http";

/// What the emulator proves itself with: certificates, the first being its own, and their key.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is not there, or may not be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate where one should be.
    #[error(
        "no certificate for TLS: give PEM with at least one `BEGIN CERTIFICATE`, the emulator's own first"
    )]
    NoCertificate,
    /// No key where one should be.
    #[error("no key for TLS: give PEM with a `BEGIN PRIVATE KEY` that is not encrypted")]
    NoKey,
    /// A key that is not the certificate's, or of a kind that can't be used.
    #[error("certificate and key make no TLS: {0}; give those that were made together")]
    Pair(rustls::Error),
}

impl Tls {
    /// Reads a chain of certificates and its key, each as PEM.
    ///
    /// # Errors
    /// [`TlsError`]: a file can't be read or has no usable PEM, or they don't fit.
    pub fn of_files(certificates: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::of_pem(&read(certificates)?, &read(key)?)
    }

    /// The same of what such files hold.
    ///
    /// # Errors
    /// [`TlsError`]: there is no usable PEM, or the two don't fit.
    pub fn of_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let chain = chain.map_err(|_| TlsError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
                .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Bytes that may be a key.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let bytes = std::fs::read(path).map(Zeroizing::new);
    bytes.map_err(|source| TlsError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

/// Accepts those that have shaken hands. Handshakes run beside each other, so that nobody waits
/// for a client that is slow or speaks no TLS.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub(crate) fn new(tcp: TcpListener, tls: Tls) -> Self {
        Self {
            tcp,
            acceptor: TlsAcceptor::from(tls.0),
            handshakes: JoinSet::new(),
        }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < MAX_HANDSHAKES;
            tokio::select! {
                Some(ended) = self.handshakes.join_next() => {
                    if let Ok(Some(secured)) = ended {
                        return secured;
                    }
                }
                (stream, peer) = Listener::accept(&mut self.tcp), if has_room => {
                    self.handshakes.spawn(secured(self.acceptor.clone(), stream, peer));
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// The stream inside TLS, if the client gets that far in time.
async fn secured(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(TlsStream<TcpStream>, SocketAddr)> {
    match timeout(HANDSHAKE_LIMIT, shake_hands(acceptor, stream)).await {
        Ok(Ok(stream)) => return Some((stream, peer)),
        // Only looked whether somebody is there.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {}
        Ok(Err(error)) => tracing::warn!(%peer, %error, "a client gave up on TLS"),
        Err(_) => tracing::warn!(%peer, "a client did not shake hands in time"),
    }
    None
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    mut stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    // An answer must not wait until the session tickets before it are acknowledged.
    stream.set_nodelay(true)?;
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ if first == [HANDSHAKE_RECORD] => acceptor.accept(stream).await,
        _ => {
            // What is left unread would make the end a reset, which takes the answer with it.
            let _ = stream.read(&mut [0; 4096]).await?;
            stream.write_all(USE_HTTPS).await?;
            stream.shutdown().await?;
            Err(io::Error::new(ErrorKind::InvalidData, "it speaks no TLS"))
        }
    }
}
