//! Callers and an agent.

use std::sync::Arc;
use std::time::Duration;

use switchboard_emulator::simulation::Simulation;
use switchboard_emulator::{Phone, PhoneCallState, PhoneCommand, PhoneEvent};
use switchboard_media::event::Digit;
use tokio::time::Instant;

use super::plan::{Act, Agent, CallerPlan};
use super::record::short;
use super::wire::Between;

/// As little as the cloud asks of an offer: nobody connects to it.
const SDP: &str =
    "v=0\r\nm=audio 9 RTP/SAVPF 111\r\na=fingerprint:x\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n";

/// Dials and does what the plan says, until the call is over.
pub(super) async fn call(
    between: Arc<Between>,
    cloud: Arc<Simulation>,
    mut phone: Phone,
    plan: CallerPlan,
) {
    tokio::time::sleep(plan.at).await;
    let dial = PhoneCommand::Dial {
        target: "bot".to_owned(),
        sdp: SDP.to_owned(),
    };
    if phone.commands.send(dial).await.is_err() {
        return;
    }
    let record = &between.record;
    let mut acts = plan.acts.into_iter();
    let (mut id, mut next) = (String::new(), None);
    let mut due = Some(Instant::now() + plan.patience);
    loop {
        tokio::select! {
            biased;
            () = at(due) => {
                due = None;
                match next.take() {
                    Some(Act::Press(key)) => {
                        record.say(&format!("caller of {} presses a key", short(&id)));
                        record.count("key");
                        if let Some(digit) = Digit::from_char(key) {
                            cloud.press(&id, digit);
                        }
                        (due, next) = after(acts.next());
                    }
                    // Patience is over, or the plan is.
                    Some(Act::HangUp) | None => {
                        record.say(&format!("caller of {} hangs up", short(&id)));
                        let call = id.clone();
                        let _ = phone.commands.send(PhoneCommand::Hangup { call }).await;
                    }
                }
            }
            event = phone.events.recv() => match event {
                Some(PhoneEvent::Dialing { call }) => {
                    record.say(&format!("a caller dials: {}", short(&call)));
                    record.count("call");
                    id = call;
                }
                Some(PhoneEvent::State { state: PhoneCallState::Established, .. }) if next.is_none() => {
                    record.say(&format!("{} is established", short(&id)));
                    record.count("established");
                    (due, next) = after(acts.next());
                }
                Some(PhoneEvent::Renegotiate { call }) => {
                    let sdp = SDP.to_owned();
                    let _ = phone.commands.send(PhoneCommand::Offer { call, sdp }).await;
                }
                Some(PhoneEvent::Ended { reason, .. }) => {
                    record.say(&format!("{} is over: {}", short(&id), reason.code));
                    record.count("ended");
                    record.count(&format!("ended with {}", reason.code));
                    return;
                }
                Some(PhoneEvent::Error { message, .. }) => {
                    record.say(&format!("caller of {} is told: {message}", short(&id)));
                    if id.is_empty() {
                        return;
                    }
                }
                Some(_) => {}
                None => return,
            },
        }
    }
}

fn after(act: Option<(Duration, Act)>) -> (Option<Instant>, Option<Act>) {
    match act {
        Some((pause, act)) => (Some(Instant::now() + pause), Some(act)),
        None => (None, None),
    }
}

/// Is there for transfers.
pub(super) async fn answer(between: Arc<Between>, mut phone: Phone, agent: Agent) {
    while let Some(event) = phone.events.recv().await {
        let (pause, command) = match (event, agent) {
            (PhoneEvent::Renegotiate { call }, _) => {
                let sdp = SDP.to_owned();
                (Duration::ZERO, PhoneCommand::Offer { call, sdp })
            }
            (PhoneEvent::Incoming { call, .. }, Agent::Accepts(pause)) => {
                let sdp = SDP.to_owned();
                (pause, PhoneCommand::Accept { call, sdp })
            }
            (PhoneEvent::Incoming { call, .. }, Agent::Declines(pause)) => {
                (pause, PhoneCommand::Decline { call })
            }
            _ => continue,
        };
        between.record.count("the agent acts");
        tokio::time::sleep(pause).await;
        let _ = phone.commands.send(command).await;
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
