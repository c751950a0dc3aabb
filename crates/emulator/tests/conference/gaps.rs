//! A bot whose audio has gaps, in a meeting.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::any;
use serde_json::{Value, json};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;
use url::Url;

use crate::singer::{Singer, connected, sing};
use crate::support::{LIMIT, Site, app_hosted};
use crate::{join, meeting};

const CANDIDATE: &str = "a=candidate:";

/// What happens to a bot's media.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Comes,
    /// Every fifth packet does not get through.
    HasGaps,
    /// It all comes, but 400 ms of it at once, every 600 ms.
    Stalls,
}

/// A media endpoint before the bot's own: its packets go through here.
async fn careless(listener: TcpListener, bot: Url, fate: Fate) {
    let answer = move |headers: HeaderMap, offer: String| {
        let bot = bot.clone();
        async move {
            // Without candidates the bot waits for those who come from here.
            let offer: String = without_candidates(&offer);
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = http.post(bot).body(offer);
            let request = request.header(header::CONTENT_TYPE, "application/sdp");
            let token = headers[header::AUTHORIZATION].clone();
            let answer = request.header(header::AUTHORIZATION, token).send().await;
            let answer = answer.unwrap().text().await.unwrap();
            let line = answer.lines().find(|line| line.starts_with(CANDIDATE));
            let fields: Vec<_> = line.unwrap().split(' ').collect();
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = socket.local_addr().unwrap().port().to_string();
            let answer = answer.replace(&format!(" {} typ", fields[5]), &format!(" {port} typ"));
            let bot = SocketAddr::new(fields[4].parse().unwrap(), fields[5].parse().unwrap());
            tokio::spawn(spoil(socket, bot, fate));
            let headers = [
                (header::LOCATION, "/session"),
                (header::CONTENT_TYPE, "application/sdp"),
            ];
            (StatusCode::CREATED, headers, answer)
        }
    };
    let router = Router::new()
        .route("/offer", axum::routing::post(answer))
        .route("/session", any(|| async { StatusCode::OK }));
    axum::serve(listener, router).await.unwrap();
}

fn without_candidates(sdp: &str) -> String {
    let lines = sdp.lines().filter(|line| !line.starts_with(CANDIDATE));
    lines.map(|line| format!("{line}\r\n")).collect()
}

async fn spoil(socket: UdpSocket, bot: SocketAddr, fate: Fate) {
    let (mut cloud, mut sent, mut held) = (None, 0_u32, Vec::new());
    let mut packet = [0; 2048];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else {
            return;
        };
        if from != bot {
            cloud = Some(from);
            let _ = socket.send_to(&packet[..length], bot).await;
            continue;
        }
        // RTP and RTCP begin so (RFC 7983), STUN and DTLS don't.
        let is_media = (128..192).contains(&packet[0]);
        sent += u32::from(is_media);
        let Some(cloud) = cloud else { continue };
        let (is_lost, waits) = match fate {
            Fate::HasGaps => (sent.is_multiple_of(5), false),
            // 20 packets of 30 wait for the next.
            Fate::Stalls => (false, sent % 30 >= 10),
            Fate::Comes => (false, false),
        };
        if !is_media {
            let _ = socket.send_to(&packet[..length], cloud).await;
            continue;
        }
        if !is_lost {
            held.push(packet[..length].to_vec());
        }
        if !waits {
            for packet in held.drain(..) {
                let _ = socket.send_to(&packet, cloud).await;
            }
        }
    }
}

/// The judge's findings after a bot has spoken for some seconds in a meeting.
async fn found(fate: Fate) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Url::parse(&format!("http://{address}/")).unwrap();
    let site = Site::start_with(|mut config| {
        config.allowed_origins.push(proxy.clone());
        config
    })
    .await;
    let (_, join_id) = meeting(&site).await;
    let mut reservation = site.bot.whip.reserve();
    let mut blob: Value = serde_json::from_str(&reservation.blob().to_wire()).unwrap();
    if fate != Fate::Comes {
        let endpoint = blob["endpoint"].as_str().unwrap().parse().unwrap();
        tokio::spawn(careless(listener, endpoint, fate));
        blob["endpoint"] = json!(proxy.join("offer").unwrap());
    }
    let media = app_hosted(&blob.to_string());
    let body = join(&join_id, &media, &site.bot.url("/api/calls"));
    let (status, call) = site.post("", body).await;
    assert_eq!(status, StatusCode::CREATED, "{call}");
    let session = timeout(LIMIT, reservation.session()).await.unwrap();
    let mut session = session.unwrap();
    connected(&mut session).await;
    let seconds = if fate == Fate::Stalls { 5.0 } else { 2.5 };
    let mut singers = [Singer::new(session, None, 500.0)];
    sing(&mut singers, seconds).await;
    let path = format!("/{}", call["id"].as_str().unwrap());
    let (status, _) = site.graph("DELETE", &path, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    site.verdicts().await
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_in_a_bots_audio_are_found_in_a_meeting() {
    assert_eq!(found(Fate::HasGaps).await, ["mediaGap"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_sends_by_fits_and_starts_is_found() {
    assert_eq!(found(Fate::Stalls).await, ["mediaGap"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_of_a_bot_that_sends_all_its_packets() {
    assert_eq!(found(Fate::Comes).await, [""; 0]);
}
