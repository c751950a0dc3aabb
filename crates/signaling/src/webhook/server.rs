//! A server for the webhook, with the limits `axum::serve` has no place for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// What a sender may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// How long the headers of a request may take, and how long a connection may be idle.
    pub header_timeout: Duration,
    /// How long all headers of a request may be, in bytes; at least 8 KiB.
    pub max_header_bytes: usize,
    /// How many headers a request may have.
    pub max_headers: usize,
    /// How many connections may be open; others wait to be accepted.
    pub max_connections: usize,
    /// How long requests may go on after the server was told to stop.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_header_bytes: 16 * 1024,
            max_headers: 64,
            max_connections: 1_024,
            drain: Duration::from_secs(10),
        }
    }
}

/// hyper has no buffer smaller than this.
const MIN_HEADER_BYTES: usize = 8 * 1024;
/// After an accept that failed, for want of file descriptors most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `shutdown` is ready, then lets requests under way end.
///
/// HTTP/1.1 without TLS, as behind a reverse proxy. Where the router upgrades a
/// connection, limits and shutdown are the business of whoever gets it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    shutdown: impl Future<Output = ()>,
) {
    let (stopping, stop) = watch::channel(());
    let room = Arc::new(Semaphore::new(limits.max_connections));
    let http = builder(limits);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, permit)) = accepted else {
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let mut connection = Box::pin(connection.with_upgrades());
        let mut stop = stop.clone();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = &mut connection => ended,
                _ = stop.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            // Senders break off and time out; that is their business.
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop((listener, stop));
    stopping.send_replace(());
    if tokio::time::timeout(limits.drain, stopping.closed())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way when the time to end them was over");
    }
}

fn builder(limits: ServerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes.max(MIN_HEADER_BYTES))
        .max_headers(limits.max_headers);
    http
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::*;

    struct Server {
        address: std::net::SocketAddr,
        stop: oneshot::Sender<()>,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server(limits: ServerLimits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let router = Router::new().route("/", get(|| async { "here" }));
        let task = tokio::spawn(serve(listener, router, limits, async {
            let _ = stopped.await;
        }));
        Server {
            address,
            stop,
            task,
        }
    }

    /// Sends `text` and reads until the server closes.
    async fn exchange(server: &Server, text: &str) -> String {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Bytes that were not read reset the connection.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_request_is_served_and_the_server_stops() {
        let server = server(ServerLimits::default()).await;
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let answer = exchange(&server, request).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"));
        server.stop.send(()).unwrap();
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn headers_that_do_not_end_are_not_waited_for() {
        let limits = ServerLimits {
            header_timeout: Duration::from_millis(50),
            ..ServerLimits::default()
        };
        let server = server(limits).await;
        let answer = exchange(&server, "GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        assert!(!answer.contains("200"), "{answer}");
    }

    #[tokio::test]
    async fn long_and_many_headers_are_refused() {
        let server = server(ServerLimits::default()).await;
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20 * 1024));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(65));
        for request in [long, many] {
            let answer = exchange(&server, &request).await;
            assert!(!answer.contains("200"), "{answer}");
        }
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_for_their_turn() {
        let limits = ServerLimits {
            max_connections: 1,
            ..ServerLimits::default()
        };
        let server = server(limits).await;
        let first = TcpStream::connect(server.address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let mut second = std::pin::pin!(exchange(&server, request));
        let early = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
        assert!(early.is_err());
        drop(first);
        assert!(second.await.contains("200"));
    }
}
