//! A server on a real socket that answers as it is told, request by request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Status, further header lines, body.
    Answer(u16, &'static str, String),
    /// The connection is closed after the request was read.
    Reset,
    /// Headers come, the body doesn't.
    Stall,
}

impl Act {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", String::new())
    }
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) bearer: String,
    pub(crate) body: String,
    pub(crate) at: std::time::Instant,
}

#[derive(Default)]
struct State {
    acts: VecDeque<Act>,
    token_acts: VecDeque<Act>,
    seen: Vec<Seen>,
    tokens: Vec<Seen>,
}

/// Graph and the identity service on one address. Where nothing was told, Graph answers 202
/// and the identity service a new token.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) origin: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        let own = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = own.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        server
    }

    pub(crate) fn graph(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().acts.extend(acts);
    }

    pub(crate) fn identity(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.lock().unwrap().token_acts.extend(acts);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn tokens(&self) -> Vec<Seen> {
        self.state.lock().unwrap().tokens.clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(seen) = read(&mut stream).await else {
            return;
        };
        match self.next(seen) {
            Act::Reset => {}
            Act::Stall => {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                // Until the client has had enough.
                let _ = stream.read(&mut [0; 16]).await;
            }
            Act::Answer(status, headers, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
                );
                // The client may have had enough before the end.
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            }
        }
    }

    fn next(&self, seen: Seen) -> Act {
        let mut state = self.state.lock().unwrap();
        if seen.line.contains("/oauth2/v2.0/token") {
            state.tokens.push(seen);
            let number = state.tokens.len();
            let token = format!(
                r#"{{"token_type":"Bearer","expires_in":3599,"access_token":"token-{number}"}}"#
            );
            let granted = Act::Answer(200, "", token);
            return state.token_acts.pop_front().unwrap_or(granted);
        }
        state.seen.push(seen);
        state.acts.pop_front().unwrap_or(Act::status(202))
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.next().map_or("", |(_, value)| value).to_owned()
        };
        if body.len() >= header("content-length").parse().unwrap_or(0) {
            return Some(Seen {
                line: head.lines().next()?.to_owned(),
                bearer: header("authorization"),
                body: body.to_owned(),
                at: std::time::Instant::now(),
            });
        }
    }
}
