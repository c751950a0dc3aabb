//! Independent clients drive the emulator: Microsoft's own SDKs for Python and JavaScript.
//!
//! Run where Python with the packages of `tests/python/requirements.txt`, or node with
//! `@azure/identity` and `@microsoft/microsoft-graph-client`, are there
//! (`scripts/lib/peers.sh` sees to it where it can), and say so where they are not.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Output, Stdio};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::Value;
use switchboard_emulator::{
    App, Emulator, EmulatorConfig, Phone, PhoneCommand, PhoneEvent, PhoneRole, Tls,
};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_tests::skip::skipped;
use switchboard_tests::{Failure, fixture};
use switchboard_transport::{Session, Transport, TransportConfig};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::process::Command;
use url::Url;

const TENANT: &str = "7b1e1f0c-6a4d-4c39-9a53-5d0a1b7c2e10";
const CLIENT: &str = "c0ffee00-5b0a-4d7e-8f10-2b3c4d5e6f70";
const SECRET: &str = "not-a-secret";

/// What an emulator proves itself with, and clients trust.
struct Proof {
    tls: Tls,
    certificate: NamedTempFile,
}

impl Proof {
    fn made() -> Result<Self, Failure> {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (pem, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        let certificate = NamedTempFile::new()?;
        std::fs::write(certificate.path(), &pem)?;
        Ok(Self {
            tls: Tls::of_pem(pem.as_bytes(), key.as_bytes())?,
            certificate,
        })
    }
}

/// A program with one of Microsoft's SDKs.
struct Sdk {
    interpreter: PathBuf,
    /// Fails if the SDK is not there.
    probe: [&'static str; 2],
    missing: &'static str,
    script: &'static str,
    /// What the script calls itself in its requests.
    name: &'static str,
    /// Whether it is given an emulator that speaks TLS.
    tls: bool,
}

impl Sdk {
    /// With Microsoft's own credential, which asks https alone for tokens.
    fn python() -> Self {
        Self {
            interpreter: env::var_os("SWITCHBOARD_PYTHON")
                .map_or_else(|| "python3".into(), PathBuf::from),
            probe: ["-c", "import aiohttp, azure.identity.aio, msgraph"],
            missing: "pip install -r tests/python/requirements.txt, and name the interpreter in SWITCHBOARD_PYTHON",
            script: "../tests/python/msgraph_client.py",
            name: "python",
            tls: true,
        }
    }

    /// With a credential of the script's own.
    fn python_without_tls() -> Self {
        Self {
            tls: false,
            ..Self::python()
        }
    }

    fn javascript() -> Self {
        Self {
            interpreter: "node".into(),
            probe: [
                "-e",
                "require('@azure/identity'); require('@microsoft/microsoft-graph-client')",
            ],
            missing: "npm install @azure/identity @microsoft/microsoft-graph-client, and name their node_modules in NODE_PATH",
            script: "../tests/node/graph_client.js",
            name: "node",
            tls: true,
        }
    }

    /// Whether it can run here; says what is missing if not.
    async fn is_there(&self) -> bool {
        let probe = Command::new(&self.interpreter)
            .args(self.probe)
            .output()
            .await;
        let there = probe.is_ok_and(|output| output.status.success());
        if !there {
            skipped(self.missing);
        }
        there
    }
}

/// A bot's origin: a webhook that takes everything, and a prompt.
async fn origin() -> Result<Url, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = Url::parse(&format!("http://{}/", listener.local_addr()?))?;
    let prompt = std::fs::read(fixture("speech/command-en.wav"))?;
    let wav = || async { ([("content-type", "audio/wav")], prompt) };
    let router = Router::new()
        .route("/api/calls", post(|| async { StatusCode::ACCEPTED }))
        .route("/prompt.wav", get(wav));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// Takes the call that rings and stays in it until it ends.
async fn answer(mut phone: Phone, transport: Transport) -> Result<(), Failure> {
    let (mut offer, mut session): (_, Option<Session>) = (None, None);
    while let Some(event) = phone.events.recv().await {
        match event {
            PhoneEvent::Incoming { call, .. } => {
                let (pending, sdp) = transport.offer().await?;
                offer = Some(pending);
                phone
                    .commands
                    .send(PhoneCommand::Accept { call, sdp })
                    .await?;
            }
            PhoneEvent::Answer { sdp, .. } => {
                let pending = offer.take().ok_or("an answer without an offer")?;
                session = Some(pending.accept(&sdp).await?);
            }
            PhoneEvent::Ended { .. } => break,
            _ => {}
        }
    }
    drop(session);
    Ok(())
}

/// A new phone's id, also its user's.
async fn registered(phone: &mut Phone) -> Result<String, Failure> {
    match phone.events.recv().await {
        Some(PhoneEvent::Registered { phone, .. }) => Ok(phone.id),
        _ => Err("a phone is told first who it is".into()),
    }
}

/// Lets the client talk to `user` and, in a meeting, to `guest`.
async fn run_client(
    sdk: &Sdk,
    emulator: &Emulator,
    proof: Option<&Proof>,
    origin: &Url,
    [user, guest]: [&str; 2],
) -> Result<Output, Failure> {
    let text = |url: Url| url.as_str().trim_end_matches('/').to_owned();
    let mut client = Command::new(&sdk.interpreter);
    if let Some(proof) = proof {
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            client.env(name, proof.certificate.path());
        }
    }
    let client = client
        .arg(fixture(sdk.script))
        .env("GRAPH", text(emulator.graph_url()))
        .env("AUTHORITY", text(emulator.authority_url()))
        .env("TOKEN_URL", text(emulator.token_url()))
        .env("TENANT", TENANT)
        .env("CLIENT_ID", CLIENT)
        .env("CLIENT_SECRET", SECRET)
        .env("CALLBACK", origin.join("api/calls")?.as_str())
        .env("PROMPT", origin.join("prompt.wav")?.as_str())
        .env("USER", user)
        .env("GUEST", guest)
        .env("ORGANIZER", "5810cede-f3cc-42eb-b2c1-e9bd5d53ec96")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    Ok(client.await?)
}

/// Each step the client told of.
struct Steps(Vec<Value>);

impl Steps {
    fn read(output: &Output) -> Result<Self, Failure> {
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let lines = std::str::from_utf8(&output.stdout)?.lines();
        Ok(Self(
            lines.map(serde_json::from_str).collect::<Result<_, _>>()?,
        ))
    }

    fn step(&self, name: &str) -> &Value {
        let step = self.0.iter().find(|step| step["step"] == name);
        step.unwrap_or(&Value::Null)
    }

    fn hold_a_call_and_a_meeting(&self, by: &str) {
        let Self(steps) = self;
        assert_eq!(self.step("created")["state"], "establishing");
        assert_eq!(self.step("established")["direction"], "outgoing");
        assert_eq!(self.step("played")["context"], format!("from-{by}"));
        assert!(self.step("muted")["status"].is_string(), "{steps:?}");
        assert_eq!(self.step("unknown")["status"], 404, "{steps:?}");
        assert_eq!(self.step("deleted")["step"], "deleted", "{steps:?}");
        assert_eq!(self.step("meeting")["subject"], format!("From {by}"));
        assert_eq!(self.step("meeting")["same"], true);
        assert_eq!(self.step("joined")["me"], true);
        assert_eq!(self.step("invited")["guest"], "Lee", "{steps:?}");
        assert_eq!(self.step("guest-muted")["is_muted"], true, "{steps:?}");
        assert_eq!(self.step("left")["step"], "left", "{steps:?}");
    }
}

/// The client places a call and holds a meeting, against an emulator with two phones.
async fn drives_the_emulator(sdk: Sdk) -> Result<(), Failure> {
    if !sdk.is_there().await {
        return Ok(());
    }
    let transport = Transport::new(
        Engine::start(EngineConfig::default())?,
        TransportConfig::default(),
    );
    let origin = origin().await?;
    let app = App {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: SECRET.into(),
        webhook: Some(origin.join("api/calls")?),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = EmulatorConfig::new(listen, transport.clone()).with_app(app);
    let proof = sdk.tls.then(Proof::made).transpose()?;
    config.tls = proof.as_ref().map(|proof| proof.tls.clone());
    let emulator = Emulator::start(config).await?;
    let mut callees = Vec::new();
    let (mut ids, names) = (Vec::new(), ["Adele", "Lee"]);
    for name in names {
        let mut phone = emulator.phone(name, PhoneRole::Agent).await;
        ids.push(registered(&mut phone).await?);
        callees.push(tokio::spawn(answer(phone, transport.clone())));
    }

    let ids = [ids[0].as_str(), ids[1].as_str()];
    let output = run_client(&sdk, &emulator, proof.as_ref(), &origin, ids).await?;
    Steps::read(&output)?.hold_a_call_and_a_meeting(sdk.name);
    for callee in callees {
        callee.await??;
    }
    emulator.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_python_client_and_credential_place_a_call_and_hold_a_meeting()
-> Result<(), Failure> {
    drives_the_emulator(Sdk::python()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_python_client_needs_no_tls_with_another_credential() -> Result<(), Failure> {
    drives_the_emulator(Sdk::python_without_tls()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn microsofts_javascript_client_and_credential_place_a_call_and_hold_a_meeting()
-> Result<(), Failure> {
    drives_the_emulator(Sdk::javascript()).await
}
