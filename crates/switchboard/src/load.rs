//! How many calls this machine carries, and what each costs.
//!
//! The parent process is the bot's media side: one engine, one transport, one
//! WHIP endpoint. Callers are child processes of the same program: they offer
//! over HTTP, go through ICE and DTLS, and send read speech and digits as
//! SRTP. What is measured is the parent alone. There is no Graph in it: the
//! media plane is what fills a machine.

mod caller;
mod churn;
mod extraction;
mod measure;
mod parts;

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use clap::Args;
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_transport::whip::{Reservation, WhipEndpoint};
use switchboard_transport::{Session, SessionEvent, Transport, TransportConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use url::Url;

use crate::Failure;
use caller::DIGITS_A_ROUND;
use extraction::Extraction;
use measure::{Cpu, Heard, Listener, print_parts, print_punctuality, print_table};
use parts::Parts;

/// Calls one caller process makes.
const CALLS_PER_PROCESS: usize = 50;
/// Before measuring, so that jitter buffers have found their delay.
const SETTLE: Duration = Duration::from_secs(3);
/// After measuring, so that what is under way arrives.
const LINGER: Duration = Duration::from_secs(2);
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// Measure what calls cost on this machine.
///
/// Makes callers in processes of their own, with real ICE, DTLS and SRTP, and
/// lets the bot's media side answer them: decryption, jitter buffer, decoding,
/// keys, speech, levels, a prompt back. Prints CPU time per call of that side
/// alone, how late its events came, digits sent and heard, and losses.
#[derive(Args)]
pub(crate) struct LoadArgs {
    /// Calls at the same time.
    #[arg(long, default_value_t = 100)]
    calls: usize,
    /// How long to measure once all calls stand, in rounds of 10 s.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Media worker threads of the measured side; 0 is one per core.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Make features of all that is heard, as an engine behind the hook gets them: Whisper's
    /// log-mel vectors, and pitch.
    #[arg(long, conflicts_with = "churn")]
    features: bool,
    /// Calls that come and go instead: each caller calls anew once a round is over. Fails
    /// if a call fails, a key is missed, or descriptors or legs are left behind.
    #[arg(long)]
    churn: bool,
    /// Be a caller process: not for people.
    #[arg(long, hide = true)]
    caller: bool,
}

/// Runs the measurement, or a caller of one.
pub(crate) async fn run(args: &LoadArgs) -> Result<(), Failure> {
    if args.caller {
        return caller::run().await;
    }
    if args.calls == 0 || args.seconds == 0 {
        return Err("--calls and --seconds must be at least 1".into());
    }
    match args.churn {
        true => Box::pin(churn::run(args.calls, args.seconds, args.workers)).await,
        false => Box::pin(measure(args)).await,
    }
}

async fn measure(args: &LoadArgs) -> Result<(), Failure> {
    let bot = Bot::start(args.workers, args.features).await?;
    let prompt = caller::prompt()?;
    let (reports, mut heard) = mpsc::unbounded_channel();
    let mut processes = Vec::new();
    let mut closers = Vec::new();
    for first in (0..args.calls).step_by(CALLS_PER_PROCESS) {
        let mut process = CallerProcess::start()?;
        for _ in first..args.calls.min(first + CALLS_PER_PROCESS) {
            let mut reservation = bot.endpoint.reserve();
            process.call(&reservation)?;
            let mut session = answered(&mut reservation).await?;
            session.play(prompt.clone())?;
            closers.push(session.closer());
            tokio::spawn(listen(session, prompt.clone(), reports.clone()));
        }
        processes.push(process);
    }
    drop(reports);
    let rounds = args.seconds.div_ceil(caller::ROUND.as_secs());
    tokio::time::sleep(SETTLE).await;
    for process in &mut processes {
        // One more than is measured, beside which the parts are.
        process.go(rounds + 1)?;
    }
    let before = Cpu::now()?;
    let network_before = bot.transport.network_stats();
    let punctual_before = bot.engine.punctuality();
    tokio::time::sleep(caller::ROUND * u32::try_from(rounds)?).await;
    let cpu = Cpu::now()?.since(&before);
    let network = bot.transport.network_stats();
    let punctual = bot.engine.punctuality().since(&punctual_before);
    let over = Instant::now() + caller::ROUND + LINGER;
    let features = args.features;
    let parts = tokio::task::spawn_blocking(move || Parts::measure(&prompt, features));
    let parts = parts.await?.map_err(|error| error.to_string())?;
    tokio::time::sleep_until(over).await;
    for closer in closers {
        closer.close();
    }
    let mut total = Heard::default();
    while let Some(one) = heard.recv().await {
        total.add(one);
    }
    let sent = (rounds + 1) * DIGITS_A_ROUND * args.calls as u64;
    print_table(args.calls, sent, &cpu, &total, &network_before, &network)?;
    print_punctuality(&punctual)?;
    print_parts(args.calls, &cpu, &parts)
}

/// The measured side.
struct Bot {
    engine: Engine,
    transport: Transport,
    endpoint: WhipEndpoint,
}

impl Bot {
    async fn start(workers: usize, live: bool) -> Result<Self, Failure> {
        let engine = Engine::start(EngineConfig {
            workers,
            ..EngineConfig::default()
        })?;
        let transport = Transport::new(
            engine.clone(),
            TransportConfig {
                live,
                ..TransportConfig::default()
            },
        );
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let endpoint = WhipEndpoint::new(transport.clone(), base);
        let router = endpoint.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            engine,
            transport,
            endpoint,
        })
    }
}

/// The bot's side of the next call, once media can flow.
async fn answered(reservation: &mut Reservation) -> Result<Session, Failure> {
    let connecting = async {
        let mut session = reservation.session().await?;
        loop {
            match session.event().await? {
                SessionEvent::Connected => return Some(session),
                SessionEvent::Closed(_) => return None,
                SessionEvent::Media(_) | SessionEvent::Speaker { .. } => {}
            }
        }
    };
    let connected = tokio::time::timeout(CONNECT_LIMIT, connecting).await;
    connected
        .ok()
        .flatten()
        .ok_or_else(|| "a caller did not connect; fewer calls, or a faster machine".into())
}

/// Hears a call until it ends and reports what came.
async fn listen(
    mut session: Session,
    prompt: std::sync::Arc<switchboard_media::prompt::Prompt>,
    report: mpsc::UnboundedSender<Heard>,
) {
    let mut listener = Listener::default();
    let mut extraction = session.take_live().map(|live| Extraction::new(live.ears));
    while let Some(event) = session.event().await {
        if let Some(extraction) = &mut extraction {
            extraction.catch_up();
        }
        if let SessionEvent::Media(event) = event
            && listener.hear(event)
        {
            // A bot that speaks all the time, which costs the most.
            let _ = session.play(prompt.clone());
        }
    }
    let _ = report.send(listener.end(session.stats()));
}

/// A child that makes calls.
struct CallerProcess {
    child: Child,
    orders: ChildStdin,
}

impl CallerProcess {
    fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["load", "--caller"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let orders = child.stdin.take().ok_or("a caller process has no input")?;
        Ok(Self { child, orders })
    }

    fn call(&mut self, reservation: &Reservation) -> Result<(), Failure> {
        Ok(writeln!(self.orders, "{}", reservation.blob().to_wire())?)
    }

    /// Has it call, speak one round, and hang up.
    fn call_once(&mut self, reservation: &Reservation) -> Result<(), Failure> {
        Ok(writeln!(
            self.orders,
            "{}{}",
            caller::ONCE,
            reservation.blob().to_wire()
        )?)
    }

    fn go(&mut self, rounds: u64) -> Result<(), Failure> {
        Ok(writeln!(self.orders, "{rounds}")?)
    }
}

impl Drop for CallerProcess {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
