//! The emulator over TLS: tokens, Graph and the page's API, beside clients that spoil it.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::pin::pin;

use serde_json::{Value, json};
use support::{CLIENT, LIMIT, SECRET, TENANT, config, service_hosted, transport};
use switchboard_emulator::{Emulator, Tls};
use switchboard_media::engine::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

const BOT: &str = "http://127.0.0.1:9/api/calls";

/// An emulator with a certificate of its own, and a client that trusts that one alone.
struct Secured {
    emulator: Emulator,
    http: reqwest::Client,
    _engine: Engine,
}

impl Secured {
    async fn start(public_url: Option<&str>) -> Self {
        let (certificate, key) = own();
        let (engine, transport) = transport();
        let mut config = config(transport);
        config.apps[0].webhook = Some(BOT.parse().unwrap());
        config.public_url = public_url.map(|url| url.parse().unwrap());
        config.tls = Some(Tls::of_pem(certificate.as_bytes(), key.as_bytes()).unwrap());
        let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(LIMIT);
        Self {
            emulator: Emulator::start(config).await.unwrap(),
            http: client.tls_certs_only([root]).build().unwrap(),
            _engine: engine,
        }
    }

    fn address(&self) -> SocketAddr {
        self.emulator.listens_at()
    }

    async fn read(&self, url: Url) -> Value {
        let response = self.http.get(url).send().await.unwrap();
        response.json().await.unwrap()
    }

    async fn token(&self) -> String {
        let form = [
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("scope", "https://graph.microsoft.com/.default"),
            ("grant_type", "client_credentials"),
        ];
        let request = self.http.post(self.emulator.token_url()).form(&form);
        let granted: Value = request.send().await.unwrap().json().await.unwrap();
        granted["access_token"].as_str().unwrap().to_owned()
    }

    /// How the emulator's own API answers a page of this origin.
    async fn answers_page(&self, origin: &str) -> u16 {
        let url = format!("https://localhost:{}/admin/counts", self.address().port());
        let request = self.http.get(url).header("origin", origin);
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_graph_are_there_over_tls_and_every_address_is_https() {
    let site = Secured::start(None).await;
    let base = format!("https://{}/", site.address());
    assert_eq!(site.emulator.page_url().as_str(), base);
    let configuration = site.read(site.emulator.openid_configuration_url()).await;
    let keys = configuration["jwks_uri"].as_str().unwrap();
    assert_eq!(keys, format!("{base}v1/.well-known/keys"));
    assert!(site.read(keys.parse().unwrap()).await["keys"].is_array());

    let calls = format!("{}/communications/calls", site.emulator.graph_url());
    let request = site.http.post(&calls).bearer_auth(site.token().await);
    let created = request.json(&json!({
        "callbackUri": BOT, "tenantId": TENANT, "requestedModalities": ["audio"],
        "mediaConfig": service_hosted()["mediaConfig"],
        "targets": [{"identity": {"user": {"id": "somebody"}}}],
    }));
    let created = created.send().await.unwrap();
    assert_eq!(created.status().as_u16(), 201);
    let location = created.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(&format!("{calls}/")), "{location}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_url_goes_over_what_the_port_speaks() {
    let site = Secured::start(Some("http://emulator.example:8480")).await;
    let page = site.emulator.page_url();
    assert_eq!(page.as_str(), "http://emulator.example:8480/");
    let own = format!("https://{}/admin/counts", site.address());
    assert!(site.read(own.parse().unwrap()).await.is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_from_localhost_counts_as_the_emulators_own_if_it_came_by_tls() {
    let site = Secured::start(None).await;
    let port = site.address().port();
    for (origin, status) in [
        (format!("https://localhost:{port}"), 200),
        (format!("http://localhost:{port}"), 403),
        ("https://evil.example".to_owned(), 403),
    ] {
        assert_eq!(site.answers_page(&origin).await, status, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_stall_keep_nobody_waiting() {
    let site = Secured::start(None).await;
    let mut stalled = Vec::new();
    for sent in [&b""[..], b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = TcpStream::connect(site.address()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        stalled.push(stream);
    }
    // In less than the stalled ones are given.
    let counts = format!("{}/counts", site.emulator.admin_url());
    let others = timeout(LIMIT / 6, site.read(counts.parse().unwrap())).await;
    assert!(others.unwrap().is_object());
    for mut stream in stalled {
        let left = timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await;
        assert!(left.is_ok(), "a stalled client is never sent away");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_256_shake_hands_at_once() {
    let site = Secured::start(None).await;
    let counts: Url = format!("{}/counts", site.emulator.admin_url())
        .parse()
        .unwrap();
    let mut silent = Vec::new();
    for _ in 0..256 {
        silent.push(TcpStream::connect(site.address()).await.unwrap());
    }
    let mut next = pin!(site.read(counts));
    let early = timeout(LIMIT / 30, &mut next).await;
    assert!(early.is_err(), "the 257th was heard beside 256 others");
    silent.pop();
    assert!(timeout(LIMIT / 6, next).await.unwrap().is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_told_at_once_to_use_https() {
    let site = Secured::start(None).await;
    let url = format!("http://{}/admin/counts", site.address());
    let answer = timeout(LIMIT / 6, site.http.get(url).send()).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    let text = answer.text().await.unwrap();
    assert!(text.contains("https instead of http"), "{text}");
    assert!(site.token().await.contains('.'));
}

/// A certificate and its key.
fn own() -> (String, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = rcgen::generate_simple_self_signed(names).unwrap();
    (own.cert.pem(), own.signing_key.serialize_pem())
}

fn refused(certificates: &str, key: &str) -> String {
    let tls = Tls::of_pem(certificates.as_bytes(), key.as_bytes());
    tls.err().unwrap().to_string()
}

#[test]
fn what_makes_no_tls_is_refused_with_what_to_do() {
    let ((certificate, key), (_, other)) = (own(), own());
    assert!(Tls::of_pem(certificate.as_bytes(), key.as_bytes()).is_ok());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    for certificates in ["", "nothing", key.as_str(), broken] {
        let told = refused(certificates, &key);
        assert!(told.contains("`BEGIN CERTIFICATE`"), "{told}");
    }
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for key in ["", certificate.as_str(), &encrypted] {
        let told = refused(&certificate, key);
        assert!(told.contains("not encrypted"), "{told}");
    }
    let told = refused(&certificate, &other);
    assert!(told.contains("made together"), "{told}");
}
