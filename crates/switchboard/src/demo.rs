//! `switchboard demo`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use switchboard_emulator::{CallEvent, PhoneRole, TimelineEvent};
use switchboard_media::prompt::Prompt;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::Failure;
use crate::caller::{Caller, Outcome};
use crate::output::{hint, say, say_json, shutdown_signal};
use crate::site::Site;

/// Show a real call on this machine.
///
/// Starts an emulator of Graph's calling cloud and a bot, both on loopback, and
/// prints one URL: a softphone. Press Call and the bot answers. The bot is real:
/// it validates signed notifications, fetches tokens, answers through the Graph
/// API and receives the browser's audio over WebRTC.
///
/// Keys: 1 and 2 for two answers, 0 for a person (open the page's link for a
/// second phone), # for goodbye.
///
/// With --caller no browser is needed: a recorded caller plays FILE into the
/// same kind of call, and what happens is printed as one JSON object a line. The
/// exit code is 0 if the call was answered and ended normally.
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Let this WAV file be the caller (8 to 192 kHz, mono or stereo)
    #[arg(long, value_name = "FILE")]
    caller: Option<PathBuf>,

    /// Port of the page; 0 takes a free one
    #[arg(long, env = "SWITCHBOARD_DEMO_PORT", default_value_t = 8480)]
    port: u16,
}

/// Why the demo's recorded call does not count as completed.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("{file}: {source}")]
    Read {
        file: String,
        source: std::io::Error,
    },
    #[error("{file}: {source}")]
    Recording {
        file: String,
        source: switchboard_media::prompt::PromptError,
    },
    #[error("the bot never answered: {0}")]
    Unanswered(String),
    #[error("the call ended with code {code}: {message}")]
    Abnormal { code: i32, message: String },
    #[error("the call was answered, but the bot's voice never arrived")]
    Silent,
}

pub(crate) async fn run(args: &DemoArgs) -> Result<(), Failure> {
    match &args.caller {
        Some(file) => recorded(file).await,
        None => softphone(args.port).await,
    }
}

/// Serves the page until Ctrl-C.
async fn softphone(port: u16) -> Result<(), Failure> {
    let site = Site::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    say(site.emulator.page_url().as_str())?;
    hint("Open the page and press Call. Ctrl-C ends the demo.");
    shutdown_signal().await;
    site.stop().await;
    Ok(())
}

/// One call with a recorded caller.
async fn recorded(file: &Path) -> Result<(), Failure> {
    let recording = read_recording(file)?;
    let site = Site::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let timeline = tokio::spawn(print_timeline(site.emulator.timeline().subscribe()));
    let phone = site
        .emulator
        .phone("Recorded caller", PhoneRole::Caller)
        .await;
    let outcome = Caller::new(phone, site.transport.clone(), recording)
        .call()
        .await;
    site.stop().await;
    timeline.await??;
    Ok(judge(outcome?)?)
}

fn read_recording(file: &Path) -> Result<Arc<Prompt>, DemoError> {
    let name = || file.display().to_string();
    let bytes = std::fs::read(file).map_err(|source| DemoError::Read {
        file: name(),
        source,
    })?;
    Prompt::from_wav(&bytes).map_err(|source| DemoError::Recording {
        file: name(),
        source,
    })
}

fn judge(outcome: Outcome) -> Result<(), DemoError> {
    match outcome {
        Outcome {
            answered: false,
            message,
            ..
        } => Err(DemoError::Unanswered(message)),
        Outcome { code, message, .. } if code != 0 && code != 200 => {
            Err(DemoError::Abnormal { code, message })
        }
        Outcome {
            heard_the_bot: false,
            ..
        } => Err(DemoError::Silent),
        _ => Ok(()),
    }
}

/// Prints what happens in the call until the emulator stops. Level readings are
/// for the page's meter only.
async fn print_timeline(mut events: broadcast::Receiver<CallEvent>) -> std::io::Result<()> {
    loop {
        match events.recv().await {
            Ok(entry) if matches!(entry.event, TimelineEvent::Level { .. }) => {}
            Ok(entry) => say_json(&entry)?,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}
