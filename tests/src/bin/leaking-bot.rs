//! A bot that keeps what it hears: the searches of memory must find it out.
//!
//! It is made of the same crates as `switchboard serve`, and does what that never does: its
//! engine keeps samples, and what is freed stays as it is. It is never shipped.
//!
//! `leaking-bot GRAPH AUTHORITY OPENID_CONFIGURATION FLOW`: prints the address of its webhook,
//! and runs until its standard input ends.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use switchboard_bot::flow::Flow;
use switchboard_bot::{Bot, BotConfig, Cloud, Parts, Script};
use switchboard_media::engine::{Engine, EngineConfig};
use switchboard_nlp::{Event, Reply, Wants};
use switchboard_tests::Failure;
use switchboard_tests::desk::{CLIENT, Desk, TENANT};
use switchboard_transport::{Transport, TransportConfig};

/// Frees nothing and wipes nothing: so what libraries leave in their buffers is there for
/// certain, where an ordinary allocator writes over some of it.
struct Hoarding;

#[global_allocator]
static HOARDING: Hoarding = Hoarding;

// SAFETY: memory comes from the system's allocator, as its layout demands, and is never given
// to anybody else.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Hoarding {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, _memory: *mut u8, _layout: Layout) {}
}

/// Keeps the samples it is told, beyond the call.
struct Leaking;

impl switchboard_nlp::Engine for Leaking {
    fn handle(&mut self, event: &Event, _reply: &mut dyn FnMut(Reply)) {
        if let Event::Speech(frame) = event {
            frame.with(|frame| std::mem::forget(frame.samples.clone()));
        }
    }

    fn wants(&self) -> Wants {
        Wants {
            audio: true,
            ..Wants::default()
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("an argument is missing");
    let cloud = Cloud {
        graph: next()?,
        authority: next()?,
        openid_configuration: next()?,
    };
    let path = next()?;
    let flow = Arc::new(Flow::parse(&std::fs::read_to_string(&path)?)?);
    let folder = Path::new(&path).parent().unwrap_or(Path::new("."));
    let script = Script::load(flow, folder, None).await?;
    let any = "127.0.0.1:0".parse()?;
    let secret = SecretString::from(Desk::secret());
    let config = BotConfig {
        cloud,
        ..BotConfig::new(any, TENANT.to_owned(), CLIENT.to_owned(), secret)
    };
    let parts = Parts {
        engines: Arc::new(|| Box::new(Leaking)),
        ..Parts::new(script)
    };
    let live = TransportConfig {
        live: true,
        ..TransportConfig::default()
    };
    let transport = Transport::new(Engine::start(EngineConfig::default())?, live);
    let bot = Bot::start(config, transport, parts).await?;
    writeln!(std::io::stdout(), "{}", bot.webhook_url())?;
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    bot.stop().await;
    Ok(())
}
