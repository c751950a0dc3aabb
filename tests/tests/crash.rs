//! Twenty calls whose bot is killed, or told to end: none is left over.

use std::path::PathBuf;

use switchboard_emulator::{Emulator, Phone, PhoneCallState, PhoneCommand, PhoneEvent, PhoneRole};
use switchboard_tests::Failure;
use switchboard_tests::cloud::Cloud;
use switchboard_tests::patience::{PATIENCE, eventually};
use switchboard_tests::service::{Around, Service};
use switchboard_transport::Transport;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

const CALLS: usize = 20;

const FLOW: &str = r##"
start = "ask"
otherwise = "bye"
[prompts.bye]
file = "bye.wav"
text = "Goodbye."
[nodes.ask]
say = "bye"
collect = { into = "number", max = 20, terminator = "#", timeout = 600, next = "bye", on_timeout = "bye" }
[nodes.bye]
say = "bye"
hang_up = true
"##;

/// Twenty callers in calls with a bot.
struct Site {
    emulator: Emulator,
    service: Service,
    state: tempfile::TempDir,
    callers: JoinSet<Result<(), Failure>>,
}

impl Site {
    async fn start() -> Result<Self, Failure> {
        let Cloud {
            transport,
            emulator,
        } = Cloud::start().await?;
        let state = tempfile::tempdir()?;
        let service = bot(&emulator, state.path().into())?;
        let (established, mut seen) = mpsc::channel(CALLS);
        let mut callers = JoinSet::new();
        for number in 0..CALLS {
            let name = format!("Caller {number}");
            let phone = emulator.phone(&name, PhoneRole::Caller).await;
            callers.spawn(call(phone, transport.clone(), established.clone()));
        }
        for _ in 0..CALLS {
            timeout(PATIENCE, seen.recv())
                .await?
                .ok_or("a caller gave up")?;
        }
        Ok(Self {
            emulator,
            service,
            state,
            callers,
        })
    }

    /// Every caller hears that the call is over, and nothing is left of any.
    async fn all_end(mut self) -> Result<(), Failure> {
        while let Some(ended) = timeout(PATIENCE, self.callers.join_next()).await? {
            ended??;
        }
        eventually("the last call to end", async || {
            let counts = self.emulator.counts();
            Ok((counts.calls == 0 && counts.media == 0).then_some(()))
        })
        .await?;
        self.emulator.stop().await;
        Ok(())
    }
}

fn bot(emulator: &Emulator, state: PathBuf) -> Result<Service, Failure> {
    let around = Around {
        state: Some(state),
        ..Around::default()
    };
    Service::start(emulator, FLOW, &around)
}

/// Calls the bot, tells when the call is established, and stays until it is over.
async fn call(
    mut phone: Phone,
    transport: Transport,
    established: mpsc::Sender<()>,
) -> Result<(), Failure> {
    let (offer, sdp) = transport.offer().await?;
    let target = "bot".to_owned();
    phone
        .commands
        .send(PhoneCommand::Dial { target, sdp })
        .await?;
    let (mut offer, mut session) = (Some(offer), None);
    while let Some(event) = phone.events.recv().await {
        match event {
            PhoneEvent::Answer { sdp, .. } => {
                if let Some(offer) = offer.take() {
                    session = Some(offer.accept(&sdp).await?);
                }
            }
            PhoneEvent::State {
                state: PhoneCallState::Established,
                ..
            } => _ = established.send(()).await,
            PhoneEvent::Ended { .. } => {
                return session.map(|_| ()).ok_or_else(|| "ended unanswered".into());
            }
            _ => {}
        }
    }
    Err("the emulator let go of a phone".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_killed_bot_are_ended_when_it_is_back() -> Result<(), Failure> {
    let mut site = Site::start().await?;
    site.service.kill()?;
    assert_eq!(site.emulator.counts().calls, CALLS);
    site.service = bot(&site.emulator, site.state.path().into())?;
    site.all_end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_told_to_end_ends_its_calls_and_itself() -> Result<(), Failure> {
    let mut site = Site::start().await?;
    assert!(site.service.end()?, "it did not end well");
    site.all_end().await
}
