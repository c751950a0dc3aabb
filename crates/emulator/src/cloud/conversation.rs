//! One call: who is in it and where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use switchboard_signaling::types::{
    Call, CallDirection, CallOptions, CallState, ChatInfo, CommsOperation, Identity, IdentitySet,
    MediaConfig, MeetingInfo, RecordingStatus,
};
use switchboard_transport::whip::MediaBlob;
use url::Url;

use super::media::SessionClock;
use crate::config::client_id;

/// An incoming call is to be answered within this (call: answer).
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// A call that nobody keeps alive ends after this (call: keepAlive).
pub(crate) const KEEP_ALIVE_LIMIT: Duration = Duration::from_secs(45 * 60);
/// How long people ring, unless the request says so (call: redirect).
pub(crate) const RING_LIMIT: Duration = Duration::from_secs(55);
/// Media is set up within this, or not at all.
pub(crate) const MEDIA_LIMIT: Duration = Duration::from_secs(20);

/// A call, from dialling until everybody has left it; also what remains of it
/// between two people after the bot has handed it over.
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) created: Instant,
    pub(crate) direction: CallDirection,
    /// The bot's part, until it leaves.
    pub(crate) bot: Option<BotLeg>,
    /// The phone at the user's side; none while an outgoing call rings.
    pub(crate) caller: Option<String>,
    /// Whether that phone has muted itself.
    pub(crate) caller_muted: bool,
    /// The application instance that was called, by its id.
    pub(crate) instance: Option<String>,
    /// The phone a caller was handed over to.
    pub(crate) agent: Option<String>,
    pub(crate) phase: Phase,
    /// The caller's offer, until it is answered.
    pub(crate) offer: Option<String>,
    /// Whether the caller's media session is the cloud's own.
    pub(crate) caller_hosted: bool,
    /// The group call or meeting that the bot's part belongs to; there is no caller then.
    pub(crate) group: Option<Group>,
    /// Of the caller's session, if it is the cloud's own.
    pub(super) clock: SessionClock,
    /// Of what the phone hears of the far end.
    pub(super) far_clock: SessionClock,
    /// Whether the bot tells what it hears and plays.
    pub(super) told_by_bot: bool,
    /// Whose names a redirect hides.
    pub(crate) masked: Masked,
    /// Set once; the conversation is then forgotten.
    pub(crate) over: bool,
}

/// Who is hidden from whom (call: redirect).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Masked {
    pub(crate) caller: bool,
    pub(crate) callee: bool,
}

/// A bot's place in a group call or meeting.
pub(crate) struct Group {
    pub(crate) room: String,
    pub(crate) seat: u32,
    pub(crate) chat: ChatInfo,
    pub(crate) meeting: Option<MeetingInfo>,
    pub(crate) subject: Option<String>,
    /// Who asked the bot in, if it was asked.
    pub(crate) inviter: Option<IdentitySet>,
    /// Whether it has been told the whole roster once.
    pub(crate) told: bool,
    /// The phone that is being transferred out of it.
    pub(crate) transferee: Option<String>,
}

impl Group {
    /// What is said about it with the call.
    pub(crate) fn describe(&self, call: &mut Call) {
        call.chat_info = Some(self.chat.clone());
        call.meeting_info.clone_from(&self.meeting);
        call.subject.clone_from(&self.subject);
    }
}

/// Where a conversation stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Offered to the bot.
    Incoming { until: Instant },
    /// An outgoing call rings.
    Ringing(Ring),
    /// Taken; media is being set up.
    Establishing { until: Instant },
    /// Bot and caller talk.
    Established,
    /// Not answered by the bot, rings at others.
    Redirecting(Ring),
    /// Bot and caller talk while others ring.
    Transferring(Ring),
    /// Someone took the redirected or transferred call; media is being set up.
    Joining { until: Instant, transfer: bool },
    /// Caller and agent talk; the bot has left.
    Joined,
}

/// Phones that ring for a call.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) phones: BTreeSet<String>,
    pub(crate) until: Instant,
}

/// The bot's part in a call: what Graph calls the call.
pub(crate) struct BotLeg {
    pub(crate) app: String,
    pub(crate) tenant: String,
    pub(crate) callback: Url,
    pub(crate) media: Option<BotMedia>,
    pub(crate) operations: BTreeMap<String, CommsOperation>,
    /// Whether tones are reported.
    pub(crate) tones: bool,
    pub(crate) tone_sequence: i64,
    pub(crate) alive_until: Instant,
    pub(crate) chain: String,
    pub(crate) scenario: String,
    pub(crate) participant: String,
    /// The guest it joins as, or the application instance it calls from, if it does.
    pub(crate) source: Option<IdentitySet>,
    /// Whether the roster comes as changes only.
    pub(crate) delta_roster: bool,
    /// Whether it is told what is shared.
    pub(crate) content_notices: bool,
    /// Whether it has muted itself.
    pub(crate) muted: bool,
    /// Whether it is to be outside the default mix of a room.
    pub(crate) outside: bool,
    /// What it says of its recording, if it has said so.
    pub(crate) recording: Option<RecordingStatus>,
}

impl BotLeg {
    /// Takes the options it asks for.
    pub(crate) fn wish(&mut self, options: Option<&CallOptions>) {
        let Some(options) = options else { return };
        self.delta_roster = options.is_delta_roster_enabled == Some(true);
        self.content_notices = options.is_content_sharing_notification_enabled == Some(true);
    }

    /// Takes from its media's configuration whether it is to be in the default mix. In the
    /// documented examples (Create call) service-hosted media has this as well, in the schema
    /// neither has.
    pub(crate) fn wish_for_mix(&mut self, media: Option<&MediaConfig>) {
        let left_out = match media {
            Some(MediaConfig::AppHosted(own)) => own.remove_from_default_audio_group,
            Some(MediaConfig::ServiceHosted(hosted)) => {
                let property = hosted.extra.0.get("removeFromDefaultAudioGroup");
                property.and_then(serde_json::Value::as_bool)
            }
            _ => None,
        };
        self.outside = left_out == Some(true);
    }

    /// Whether it joins as a guest.
    pub(crate) fn is_guest(&self) -> bool {
        let source = self.source.as_ref();
        source.is_some_and(|source| source.guest.is_some())
    }

    /// Who it is to others.
    pub(crate) fn identity(&self) -> IdentitySet {
        let application = || IdentitySet::application(Identity::new(client_id(&self.app)));
        self.source.clone().unwrap_or_else(application)
    }
}

/// Who handles the bot's media.
pub(crate) enum BotMedia {
    /// The bot, at this endpoint.
    Application(MediaBlob),
    /// The cloud.
    Service,
}

impl Conversation {
    /// A bot's call that nobody else is in yet.
    pub(crate) fn new(id: String, bot: BotLeg, phase: Phase, now: Instant) -> Self {
        Self {
            id,
            created: now,
            direction: CallDirection::Incoming,
            bot: Some(bot),
            caller: None,
            caller_muted: false,
            instance: None,
            agent: None,
            phase,
            offer: None,
            caller_hosted: false,
            group: None,
            clock: SessionClock::default(),
            far_clock: SessionClock::default(),
            told_by_bot: false,
            masked: Masked::default(),
            over: false,
        }
    }

    /// The state as Graph names it.
    pub(crate) fn state(&self) -> CallState {
        match self.phase {
            Phase::Incoming { .. } => CallState::Incoming,
            Phase::Ringing(_) | Phase::Establishing { .. } => CallState::Establishing,
            Phase::Established | Phase::Joined => CallState::Established,
            Phase::Redirecting(_) => CallState::Redirecting,
            Phase::Transferring(_) => CallState::Transferring,
            Phase::Joining { transfer: true, .. } => CallState::TransferAccepted,
            Phase::Joining { .. } => CallState::Redirecting,
        }
    }

    /// The phones that ring for it.
    pub(crate) fn ring(&mut self) -> Option<&mut Ring> {
        match &mut self.phase {
            Phase::Ringing(ring) | Phase::Redirecting(ring) | Phase::Transferring(ring) => {
                Some(ring)
            }
            _ => None,
        }
    }

    /// When something happens by itself.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Incoming { until }
            | Phase::Establishing { until }
            | Phase::Joining { until, .. } => Some(*until),
            Phase::Ringing(ring) | Phase::Redirecting(ring) | Phase::Transferring(ring) => {
                Some(ring.until)
            }
            Phase::Established | Phase::Joined => None,
        };
        let alive = self.bot.as_ref().map(|bot| bot.alive_until);
        phase.into_iter().chain(alive).min()
    }

    /// Whether the bot's media is in the cloud's hands.
    pub(crate) fn service_hosted(&self) -> bool {
        let media = self.bot.as_ref().and_then(|bot| bot.media.as_ref());
        matches!(media, Some(BotMedia::Service))
    }

    /// The phone that a transfer or a redirect is about.
    pub(crate) fn leaving(&self) -> Option<&String> {
        let group = self.group.as_ref();
        let transferee = group.and_then(|group| group.transferee.as_ref());
        self.caller.as_ref().or(transferee)
    }

    /// Whether a phone has left a room by transfer and is to take the new call.
    pub(crate) fn awaits(&self, phone: &str) -> bool {
        let joining = matches!(self.phase, Phase::Joining { .. });
        joining && self.caller.is_none() && self.leaving().is_some_and(|one| one == phone)
    }

    /// The phones that are in the conversation, not those that ring.
    pub(crate) fn people(&self) -> impl Iterator<Item = &String> {
        self.caller.iter().chain(&self.agent)
    }

    /// The phones that ring for it.
    pub(crate) fn rings_at(&self) -> impl Iterator<Item = &String> {
        let ring = match &self.phase {
            Phase::Ringing(ring) | Phase::Redirecting(ring) | Phase::Transferring(ring) => {
                Some(ring)
            }
            _ => None,
        };
        ring.into_iter().flat_map(|ring| &ring.phones)
    }
}
