//! The bot's calls, as the service sees them.

use std::sync::OnceLock;

use async_trait::async_trait;
use switchboard_bot::Figures;
use switchboard_bot::flow::Contact;
use switchboard_media::engine::Lateness;
use switchboard_reminders::Target;
use switchboard_service::{DialError, Figure, LiveCall, Switch};
use tokio::sync::watch;

/// Who has the calls of this instance: the bot, once there is one.
pub(super) struct BotSwitch {
    pub(super) application: String,
    pub(super) dialer: OnceLock<switchboard_bot::Dialer>,
    pub(super) figures: OnceLock<Figures>,
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

    fn figures(&self) -> Vec<Figure> {
        self.figures.get().map(told).unwrap_or_default()
    }

    fn is_open(&self) -> bool {
        let dialer = self.dialer.get();
        dialer.is_some_and(switchboard_bot::Dialer::is_open)
    }
}

/// The bot's figures as Prometheus gets them.
fn told(figures: &Figures) -> Vec<Figure> {
    let (webhook, network) = (figures.webhook(), figures.network());
    let requests = [
        ("accepted", webhook.accepted),
        ("unauthorized", webhook.unauthorized),
        ("oversized", webhook.oversized),
        ("malformed", webhook.malformed),
        ("legacy", webhook.legacy),
        ("empty", webhook.empty),
        ("duplicate", webhook.duplicates),
        ("busy", webhook.busy),
    ];
    let notifications = [
        ("taken", webhook.notifications),
        ("unknown_type", webhook.unknown_types),
        ("no_call", webhook.unaddressed),
    ];
    let datagrams = [
        ("received", network.received),
        ("sent", network.sent),
        ("not_sent", network.not_sent),
        ("unknown", network.unknown),
        ("not_validated", network.not_validated),
        ("early", network.early),
        ("malformed", network.malformed),
        ("forged", network.forged),
        ("replayed", network.replayed),
        ("policed", network.policed),
    ];
    vec![
        Figure::sums(
            "webhook_requests_total",
            "Requests of Graph, or of whoever pretends to be it.",
            "outcome",
            &requests,
        ),
        Figure::sums(
            "notifications_total",
            "Notifications in them.",
            "outcome",
            &notifications,
        ),
        Figure::sums(
            "media_datagrams_total",
            "Datagrams of media.",
            "outcome",
            &datagrams,
        ),
        Figure {
            name: "media_tick_late_seconds",
            help: "How late the media threads were since the start.",
            counts: false,
            values: late(&figures.punctuality().ticks),
        },
    ]
}

fn late(ticks: &Lateness) -> Vec<(Option<(&'static str, &'static str)>, f64)> {
    let quantiles = [("0.5", 0.5), ("0.99", 0.99)].into_iter();
    quantiles
        .map(|(name, share)| {
            (
                Some(("quantile", name)),
                ticks.quantile(share).as_secs_f64(),
            )
        })
        .collect()
}
