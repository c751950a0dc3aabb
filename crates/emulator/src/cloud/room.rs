//! A conversation of several, a group call or a meeting under way: who is in it, who
//! is asked in, and what is new on the roster.

use std::collections::BTreeSet;
use std::time::Instant;

use switchboard_signaling::types::{
    AudioRoutingGroup, ChangeType, ChatInfo, IdentitySet, MediaDirection, MediaStream, Modality,
    Participant, RecordingStatus, RemovedState,
};

use super::media::SessionClock;
use super::notice;
use super::notice::Muted;
use crate::phone;

/// A group call or a meeting under way.
pub(crate) struct Room {
    /// Also what phones know the call by.
    pub(crate) id: String,
    pub(crate) created: Instant,
    pub(crate) chat: ChatInfo,
    /// The meeting's id, if it is one.
    pub(crate) meeting: Option<String>,
    pub(crate) name: String,
    pub(crate) seats: Vec<Seat>,
    /// Whether two were in it at once.
    pub(crate) met: bool,
    pub(crate) attended: Vec<Attendance>,
    /// Whose screen is shown, and the session's id.
    pub(crate) sharing: Option<(u32, String)>,
    /// What of that the bots have not been told.
    pub(crate) sharing_news: Vec<(ChangeType, String)>,
    pub(crate) routes: Vec<AudioRoutingGroup>,
    invitations: Vec<Invitation>,
    news: News,
    sequence: i64,
    next: u32,
}

/// One participant, from being asked in until leaving.
pub(crate) struct Seat {
    /// What media knows it by.
    pub(crate) number: u32,
    /// The participant's id.
    pub(crate) participant: String,
    pub(crate) who: Who,
    /// What phones see it as; nobody else there is called so.
    pub(crate) name: String,
    pub(crate) identity: IdentitySet,
    pub(crate) standing: Standing,
    /// By the server, which hears nothing of it.
    pub(crate) muted: bool,
    /// By itself.
    pub(crate) self_muted: bool,
    pub(crate) held: bool,
    pub(crate) in_lobby: bool,
    /// Whether no roster has it (`invitationParticipantInfo.hidden`).
    pub(crate) hidden: bool,
    /// Whether it is outside the default mix: audio routing groups alone have its audio, and
    /// it hears what they bring it.
    pub(crate) outside: bool,
    /// What it says of its recording, if it has said so.
    pub(crate) recording: Option<RecordingStatus>,
    pub(super) clock: SessionClock,
}

/// Who sits there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Phone(String),
    /// An application, by the id of its call.
    Bot(String),
}

/// How far a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Asked in.
    Ringing {
        until: Instant,
    },
    /// Media is being set up.
    Connecting {
        until: Instant,
    },
    Joined,
}

/// From when to when a participant was there.
pub(crate) struct Attendance {
    pub(crate) participant: String,
    pub(crate) identity: IdentitySet,
    pub(crate) from: Instant,
    pub(crate) to: Option<Instant>,
}

/// An invite operation whose outcome is open.
struct Invitation {
    call: String,
    operation: String,
    waiting: BTreeSet<u32>,
    joined: bool,
}

/// An invite operation that has its outcome.
pub(crate) struct Settled {
    pub(crate) call: String,
    pub(crate) operation: String,
    pub(crate) joined: bool,
}

/// What the roster notifications have not told yet.
#[derive(Default)]
struct News {
    changed: BTreeSet<String>,
    left: Vec<Participant>,
    /// Whether somebody came or went whom no roster has: phones show who is there all the same.
    unseen: bool,
    /// Whether those in the meeting are to be told who is in its lobby.
    lobby: bool,
}

/// The roster, whole and as changes.
pub(crate) struct Roster {
    pub(crate) whole: Vec<Participant>,
    pub(crate) changes: Vec<Participant>,
}

impl Roster {
    /// As much of what is new as concerns one participant.
    pub(crate) fn changes_of(&self, participant: Option<&String>) -> Self {
        let own = |one: &&Participant| one.id.as_ref() == participant;
        let changes: Vec<_> = self.changes.iter().filter(own).cloned().collect();
        Self {
            whole: changes.clone(),
            changes,
        }
    }
}

impl Room {
    pub(crate) fn new(id: String, name: String, chat: ChatInfo, now: Instant) -> Self {
        Self {
            id,
            created: now,
            chat,
            meeting: None,
            name,
            seats: Vec::new(),
            met: false,
            attended: Vec::new(),
            sharing: None,
            sharing_news: Vec::new(),
            routes: Vec::new(),
            invitations: Vec::new(),
            news: News::default(),
            sequence: 0,
            next: 0,
        }
    }

    /// Adds a participant; its seat's number.
    pub(crate) fn take_seat(
        &mut self,
        (who, name): (Who, &str),
        participant: String,
        identity: IdentitySet,
        standing: Standing,
    ) -> u32 {
        let number = self.next;
        self.next += 1;
        self.seats.push(Seat {
            number,
            participant,
            who,
            name: self.free_name(name),
            identity,
            standing,
            muted: false,
            self_muted: false,
            held: false,
            in_lobby: false,
            hidden: false,
            outside: false,
            recording: None,
            clock: SessionClock::default(),
        });
        number
    }

    /// What somebody is called here: a number tells namesakes apart.
    fn free_name(&self, name: &str) -> String {
        let taken = |name: &str| self.seats.iter().any(|seat| seat.name == name);
        let numbered = (2..).map(|n| format!("{name} {n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    pub(crate) fn seat(&mut self, number: u32) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.number == number)
    }

    pub(crate) fn seat_of(&mut self, who: &Who) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.who == *who)
    }

    /// A participant is in: the roster will say so.
    pub(crate) fn joined(&mut self, number: u32, now: Instant) {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.number == number) else {
            return;
        };
        seat.standing = Standing::Joined;
        self.news.lobby |= seat.in_lobby;
        self.changed(number);
        self.attends(number, now);
    }

    /// A participant comes in from the lobby.
    pub(crate) fn admit(&mut self, number: u32, now: Instant) {
        if let Some(seat) = self.seat(number) {
            seat.in_lobby = false;
        }
        self.news.lobby = true;
        self.changed(number);
        self.attends(number, now);
    }

    /// A participant takes part from now on, unless it is in the lobby.
    fn attends(&mut self, number: u32, now: Instant) {
        let mut seats = self.seats.iter();
        let Some(seat) = seats.find(|seat| seat.number == number && seat.is_inside()) else {
            return;
        };
        self.attended.push(Attendance {
            participant: seat.participant.clone(),
            identity: seat.identity.clone(),
            from: now,
            to: None,
        });
        // Who comes in sees who waits.
        self.news.lobby |= self.seats.iter().any(|seat| seat.in_lobby);
        self.met |= self.seats.iter().filter(|seat| seat.is_inside()).count() > 1;
    }

    /// Whether who waits in the lobby is to be told anew.
    pub(crate) fn take_lobby_news(&mut self) -> bool {
        std::mem::take(&mut self.news.lobby)
    }

    /// Something about a participant changed.
    pub(crate) fn changed(&mut self, number: u32) {
        match self.seats.iter().find(|seat| seat.number == number) {
            Some(seat) if seat.hidden => self.news.unseen = true,
            Some(seat) => drop(self.news.changed.insert(seat.participant.clone())),
            None => {}
        }
    }

    /// Takes a participant out; the roster will say so if it was on it.
    pub(crate) fn leave(&mut self, number: u32, why: &str, now: Instant) -> Option<Seat> {
        let at = self.seats.iter().position(|seat| seat.number == number)?;
        self.stop_sharing(number);
        let seat = self.seats.remove(at);
        self.news.changed.remove(&seat.participant);
        self.news.lobby |= seat.in_lobby;
        self.routes.retain(|route| {
            let sources = route.sources.as_deref().unwrap_or_default();
            !sources.contains(&seat.participant)
        });
        let joined = seat.standing == Standing::Joined;
        self.news.unseen |= joined && seat.hidden;
        if joined && !seat.hidden {
            self.news.left.push(Participant {
                removed_state: Some(RemovedState {
                    reason: Some(why.to_owned()),
                    ..RemovedState::default()
                }),
                ..seat.shown(self.sequence)
            });
        }
        let mut open = self.attended.iter_mut();
        let own = |one: &&mut Attendance| one.participant == seat.participant && one.to.is_none();
        if let Some(attendance) = open.find(own) {
            attendance.to = Some(now);
        }
        Some(seat)
    }

    /// Who is on the roster: everyone who has joined, or waits in the lobby, and is not hidden.
    pub(crate) fn roster(&self) -> Vec<Participant> {
        let seen = |seat: &&Seat| seat.standing == Standing::Joined && !seat.hidden;
        let seats = self.seats.iter().filter(seen);
        seats
            .map(|seat| {
                let mut shown = seat.shown(self.sequence);
                let shares = self
                    .sharing
                    .as_ref()
                    .is_some_and(|(one, _)| *one == seat.number);
                shown.media_streams.iter_mut().for_each(|streams| {
                    streams.extend(shares.then(screen));
                });
                shown
            })
            .collect()
    }

    /// The calls of the bots that are in it.
    pub(crate) fn bots_inside(&self) -> impl Iterator<Item = String> {
        self.bots(Seat::is_inside)
    }

    /// The calls of the bots that wait in the lobby.
    pub(crate) fn bots_waiting(&self) -> impl Iterator<Item = String> {
        self.bots(Seat::is_waiting)
    }

    fn bots(&self, fits: fn(&Seat) -> bool) -> impl Iterator<Item = String> {
        let seats = self.seats.iter().filter(move |seat| fits(seat));
        seats.filter_map(|seat| match &seat.who {
            Who::Bot(call) => Some(call.clone()),
            Who::Phone(_) => None,
        })
    }

    /// The seat of a participant.
    pub(crate) fn number_of(&self, participant: &str) -> Option<u32> {
        let mut seats = self.seats.iter();
        let seat = seats.find(|seat| seat.participant == participant)?;
        Some(seat.number)
    }

    /// What is to be told, if anything is new. It has a greater sequence number than
    /// everything before it.
    pub(crate) fn take_news(&mut self) -> Option<Roster> {
        let changed = std::mem::take(&mut self.news.changed);
        let mut left = std::mem::take(&mut self.news.left);
        let unseen = std::mem::take(&mut self.news.unseen);
        let seen = !changed.is_empty() || !left.is_empty();
        if !seen && !unseen {
            return None;
        }
        self.sequence += i64::from(seen);
        let whole = self.roster();
        let is_new = |one: &&Participant| one.id.as_ref().is_some_and(|id| changed.contains(id));
        let mut changes: Vec<_> = whole.iter().filter(is_new).cloned().collect();
        for one in &mut left {
            one.roster_sequence_number = Some(self.sequence);
        }
        changes.append(&mut left);
        Some(Roster { whole, changes })
    }

    /// Remembers whom an operation has asked in.
    pub(crate) fn invited(&mut self, call: &str, operation: String, waiting: BTreeSet<u32>) {
        self.invitations.push(Invitation {
            call: call.to_owned(),
            operation,
            waiting,
            joined: false,
        });
    }

    /// One who was asked in has come, or won't: the operations that are over by that.
    pub(crate) fn settle(&mut self, number: u32, joined: bool) -> Vec<Settled> {
        for invitation in &mut self.invitations {
            if invitation.waiting.remove(&number) {
                invitation.joined |= joined;
            }
        }
        let over = |invitation: &mut Invitation| invitation.waiting.is_empty();
        let settled = self.invitations.extract_if(.., over);
        settled
            .map(|invitation| Settled {
                call: invitation.call,
                operation: invitation.operation,
                joined: invitation.joined,
            })
            .collect()
    }

    /// When someone has rung, or waited for media, long enough. Applications have
    /// their calls' own deadlines.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.seats.iter().filter_map(Seat::deadline).min()
    }
}

impl Seat {
    /// As phones see it.
    pub(crate) fn as_seen(&self) -> phone::Participant {
        phone::Participant {
            participant: self.participant.clone(),
            name: self.name.clone(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match (&self.who, self.standing) {
            (Who::Phone(_), Standing::Ringing { until } | Standing::Connecting { until }) => {
                Some(until)
            }
            _ => None,
        }
    }

    fn shown(&self, sequence: i64) -> Participant {
        let muted = Muted {
            by_server: self.muted,
            by_self: self.self_muted,
        };
        let mut shown = notice::participant(&self.participant, self.identity.clone(), muted);
        shown.is_in_lobby = Some(self.in_lobby);
        shown.roster_sequence_number = Some(sequence);
        let status = self.recording.clone();
        shown.recording_info =
            status.map(|status| notice::recording(self.identity.clone(), status));
        for stream in shown.media_streams.iter_mut().flatten() {
            stream.source_id = Some(self.number.to_string());
            stream.label = Some("main-audio".to_owned());
        }
        shown
    }
}

/// The stream of one who shows a screen (call: changeScreenSharingRole).
fn screen() -> MediaStream {
    MediaStream {
        media_type: Some(Modality::VideoBasedScreenSharing),
        label: Some("applicationsharing-video".to_owned()),
        direction: Some(MediaDirection::SendOnly),
        ..MediaStream::default()
    }
}
