//! The bot's calls, as the service sees them.

use std::sync::OnceLock;

use async_trait::async_trait;
use switchboard_bot::flow::Contact;
use switchboard_reminders::Target;
use switchboard_service::{DialError, LiveCall, Switch};
use tokio::sync::watch;

/// Who has the calls of this instance: the bot, once there is one.
pub(super) struct BotSwitch {
    pub(super) application: String,
    pub(super) dialer: OnceLock<switchboard_bot::Dialer>,
}

#[async_trait]
impl Switch for BotSwitch {
    fn calls(&self) -> Vec<LiveCall> {
        let calls = self.dialer.get().map(switchboard_bot::Dialer::live);
        let calls = calls.unwrap_or_default().into_iter();
        calls
            .map(|call| LiveCall {
                id: call.id.to_string(),
                application: self.application.clone(),
                incoming: call.incoming,
                since: call.since,
                state: call.state.to_string(),
                flow: call.flow,
                participants: u32::try_from(call.participants).unwrap_or(u32::MAX),
                peer: call.peer.and_then(|peer| match peer {
                    Contact::User(user) => Some(Target::User(user)),
                    Contact::Phone(phone) => Some(Target::Phone(phone)),
                    Contact::Bot(_) | Contact::Team(_) => None,
                }),
            })
            .collect()
    }

    fn changes(&self) -> Option<watch::Receiver<u64>> {
        self.dialer.get()?.live_changes()
    }

    fn hang_up(&self, call: &str) -> bool {
        let dialer = self.dialer.get();
        dialer.is_some_and(|dialer| call.parse().is_ok_and(|id| dialer.hang_up(&id)))
    }

    async fn end(&self, call: &str) -> Result<(), DialError> {
        let unknown = |reason: String| DialError::Unknown(reason);
        let id = call.parse().map_err(|_| unknown("no call id".to_owned()))?;
        let dialer = self.dialer.get();
        let dialer = dialer.ok_or_else(|| unknown("there is no bot yet".to_owned()))?;
        let ended = dialer.end(&id).await;
        ended.map_err(|error| unknown(error.to_string()))
    }

    fn is_open(&self) -> bool {
        let dialer = self.dialer.get();
        dialer.is_some_and(switchboard_bot::Dialer::is_open)
    }
}
