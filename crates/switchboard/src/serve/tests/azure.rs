//! Calls whose media Azure Communication Services brings, over real sockets: the tests
//! are the service, as its documentation has it.

use futures_util::{SinkExt, StreamExt};
use switchboard_bot::AzureMedia;
use switchboard_media::wav;
use switchboard_nlp::adapter::acs::{self, FromApplication, Metadata};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::*;

const FLOW: &str = r##"# prompts: ask thanks bye
start = "ask"
otherwise = "bye"
[nodes.ask]
say = "ask"
listen = { keys = { 1 = "thanks", 2 = "call" }, timeout = 30 }
[nodes.thanks]
say = "thanks"
hang_up = true
[nodes.call]
transfer = { to = "ada", on_failed = "bye" }
[nodes.bye]
say = "bye"
hang_up = true
[contacts.ada]
user = "ada"
"##;

/// The service's end of a call's media.
struct Service {
    socket: WebSocketStream<TcpStream>,
    rate: u32,
    /// Samples the bot has said.
    said: Vec<i16>,
}

async fn site_taking_media() -> Site {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let parts = Parts {
        azure: Some(AzureMedia::Token("opensesame".to_owned().into())),
        ..Parts::new(script(FLOW).await)
    };
    let site = Site::with(any, parts, TransportConfig::default()).await;
    site.expect("the site starts")
}

async fn connect(site: &Site, token: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let url = site
        .bot
        .webhook_url()
        .join("/api/media/azure")
        .expect("a URL");
    let address = (url.host_str().expect("a host"), url.port().expect("a port"));
    let tcp = TcpStream::connect(address).await.expect("the bot listens");
    let mut request = url
        .as_str()
        .replacen("http", "ws", 1)
        .into_client_request()?;
    let bearer = format!("Bearer {token}").parse().expect("a header");
    let headers = request.headers_mut();
    headers.insert("authorization", bearer);
    headers.insert(
        "x-ms-call-connection-id",
        "421f1200-04".parse().expect("an id"),
    );
    Ok(tokio_tungstenite::client_async(request, tcp).await?.0)
}

impl Service {
    async fn calling(site: &Site, rate: u32) -> Self {
        let mut socket = connect(site, "opensesame").await.expect("it is let in");
        let metadata = acs::metadata(&Metadata {
            subscription_id: "s1".to_owned(),
            sample_rate: rate,
            length: Some(rate / 25),
        });
        socket
            .send(Message::text(metadata.as_str()))
            .await
            .expect("sent");
        Self {
            socket,
            rate,
            said: Vec::new(),
        }
    }

    /// 20 ms of the caller.
    async fn sends(&mut self, pcm: &[u8]) {
        let message = acs::audio(pcm, OffsetDateTime::now_utc(), None, false);
        // The bot may have ended the call.
        let _ = self.socket.send(Message::text(message.as_str())).await;
    }

    /// Goes on in real time, with silence, until the bot has said a prompt: a hum of a
    /// third of a second. `false` when the bot closes before.
    async fn hears_a_prompt(&mut self) -> bool {
        let silence = vec![0; self.rate as usize / 25];
        let (mut tick, mut hum) = (tokio::time::interval(Duration::from_millis(20)), 0);
        let waited = tokio::time::timeout(Duration::from_secs(40), async {
            while hum < self.rate as usize * 3 / 10 {
                tokio::select! {
                    _ = tick.tick() => self.sends(&silence).await,
                    message = self.socket.next() => match message {
                        Some(Ok(Message::Text(text))) => hum += self.takes(&text),
                        Some(Ok(_)) => {}
                        _ => return false,
                    },
                }
            }
            true
        });
        waited.await.expect("the bot says something")
    }

    fn takes(&mut self, text: &str) -> usize {
        let Ok(FromApplication::Audio(audio)) = acs::from_application(text) else {
            return 0;
        };
        let samples: Vec<i16> = audio.with(|audio| {
            assert_eq!(audio.len(), self.rate as usize / 25, "20 ms at a time");
            let pairs = audio.chunks_exact(2);
            pairs
                .map(|two| i16::from_le_bytes([two[0], two[1]]))
                .collect()
        });
        let energy: f32 = samples.iter().map(|x| f32::from(*x).powi(2)).sum();
        self.said.extend(&samples);
        let loud = energy / samples.len() as f32 > 1_000.0;
        if loud { samples.len() } else { 0 }
    }

    /// Speaks a recording of keys, in real time.
    async fn presses(&mut self, keys: &str) {
        let like = switchboard_media::tone::DtmfTone::new(switchboard_media::event::Digit::ALL[0]);
        let samples = switchboard_media::tone::dial(self.rate, keys, &like);
        let bytes = wav::write(self.rate, &samples);
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for frame in bytes[44..].chunks_exact(self.rate as usize / 25) {
            tick.tick().await;
            self.sends(frame).await;
        }
    }

    async fn is_over(&mut self) {
        assert!(!self.hears_a_prompt().await, "nothing more is said");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_media_azure_brings_goes_through_the_flow() {
    let site = site_taking_media().await;
    for rate in [16_000, 24_000] {
        let mut service = Service::calling(&site, rate).await;
        assert!(service.hears_a_prompt().await);
        service.presses("1").await;
        assert!(service.hears_a_prompt().await);
        service.is_over().await;
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tones_come_as_messages_and_what_needs_call_control_fails() {
    let site = site_taking_media().await;
    let mut service = Service::calling(&site, 16_000).await;
    assert!(service.hears_a_prompt().await);
    let tone = acs::dtmf('2');
    service
        .socket
        .send(Message::text(tone.as_str()))
        .await
        .expect("sent");
    assert!(
        service.hears_a_prompt().await,
        "the call can't be transferred"
    );
    service.is_over().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_bring_no_media() {
    let site = site_taking_media().await;
    let refused = connect(&site, "wrong").await;
    let Err(Error::Http(response)) = refused else {
        panic!("a stranger was let in")
    };
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    // One who leaves without having said what comes leaves no call behind.
    let mut silent = connect(&site, "opensesame").await.expect("it is let in");
    silent.close(None).await.expect("the bot is there");
    let gone = async {
        while site.bot.calls() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(40), gone).await;
    assert!(gone.is_ok(), "the call is still there");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_lets_nobody_in_without_its_own_token() {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let resource = "f0a8f5b9-3d1e-4b5f-9a56-0b1f5a7e6c11".to_owned();
    let parts = Parts {
        azure: Some(AzureMedia::Resource(resource)),
        ..Parts::new(script(FLOW).await)
    };
    let site = Site::with(any, parts, TransportConfig::default()).await;
    let site = site.expect("the site starts");
    // No token, none that is one, and one that its sender has signed with nothing.
    let unsigned = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJmMGE4ZjViOSJ9.";
    for token in ["", "opensesame", unsigned] {
        match connect(&site, token).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), StatusCode::UNAUTHORIZED),
            other => panic!("{:?} is let in", other.map(drop)),
        }
    }
    site.stop().await;
}
