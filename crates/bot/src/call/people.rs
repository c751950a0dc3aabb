//! Who else is in a call, and what is done with them.

use std::time::Instant;

use switchboard_signaling::call::{Command, Roster, RosterChange};
use switchboard_signaling::clock;
use switchboard_signaling::request::{InvalidRequest, participants};
use switchboard_signaling::types::{
    CommsOperation, MediaPrompt, Participant, ParticipantId, Prompt, StartHoldMusicRequest,
};

use super::facts::invitation;
use super::{Awaited, Task};
use crate::flow::{Action, Contact, Input, People, Whom};

type Made = Result<switchboard_signaling::request::GraphRequest<CommsOperation>, InvalidRequest>;

/// One of the others in a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// The participant's id in the call.
    pub id: String,
    /// The user, number or application.
    pub identity: Option<String>,
    /// The name shown to people.
    pub name: Option<String>,
    /// Whether the server mutes them.
    pub muted: bool,
}

impl Task {
    /// Everybody else who is in the call, in the order of their ids.
    pub(super) fn members(&self) -> Vec<Member> {
        let people = self
            .control
            .roster()
            .into_iter()
            .flat_map(Roster::participants);
        let others = people.filter(|one| self.is_other(one));
        let mut members: Vec<Member> = others.filter_map(member).collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        members
    }

    /// Neither the bot itself nor somebody in the lobby.
    fn is_other(&self, participant: &Participant) -> bool {
        let info = participant.info.as_ref();
        let identity = info.and_then(|info| info.identity.as_ref());
        let application = identity.and_then(|set| set.application.as_ref());
        let own = application.and_then(|one| one.id.as_deref()) == Some(self.shared.app());
        !own && participant.is_in_lobby != Some(true)
    }

    pub(super) fn roster_changed(&mut self, now: Instant, change: &RosterChange) -> Vec<Action> {
        let others = |people: &[Participant]| people.iter().any(|one| self.is_other(one));
        let (joined, left) = (others(&change.joined), others(&change.left));
        let names: Vec<String> = self.members().into_iter().map(shown).collect();
        let people = People {
            names: &names,
            joined,
            left,
        };
        self.talk.input(now, Input::People(people))
    }

    /// The participants a contact stands for.
    fn found(&self, whom: &Whom) -> Vec<ParticipantId> {
        let wanted = |member: &Member| match whom {
            Whom::All => true,
            Whom::One(contact) => is(contact, member),
        };
        let members = self.members().into_iter();
        let ids = members.filter(wanted).map(|member| member.id.parse());
        ids.filter_map(Result::ok).collect()
    }

    /// Asks people in; whether Graph was asked.
    pub(super) fn invite_all(&mut self, who: &[Contact]) -> bool {
        let people: Vec<_> = who.iter().filter_map(invitation).collect();
        let command = self.ask_in(people);
        self.awaited
            .extend(command.map(|command| (command, Awaited::Invite)));
        command.is_some()
    }

    pub(super) fn invite(&mut self, who: &[Contact]) -> Vec<Action> {
        match self.invite_all(who) {
            true => Vec::new(),
            false => self.talk.input(clock::now(), Input::Invited(false)),
        }
    }

    /// Silences others; how many Graph was asked to.
    pub(super) fn mute(&mut self, whom: &Whom) -> usize {
        let people = self.found(whom);
        let made = people
            .iter()
            .filter_map(|id| Some(participants::mute(self.control.id()?, id, None)));
        self.each(made.collect())
    }

    pub(super) fn hold(&mut self, who: &Contact, music: Option<&str>) -> usize {
        let path = music.and_then(|music| self.script.music_path(music));
        let prompt = path.map(|path| {
            let address = self.shared.address(path);
            Prompt::Media(MediaPrompt::new(address.as_str(), None))
        });
        let body = StartHoldMusicRequest {
            custom_prompt: prompt,
            ..StartHoldMusicRequest::default()
        };
        let people = self.found(&Whom::One(who.clone()));
        let made = people.iter().filter_map(|id| {
            let call = self.control.id()?;
            Some(participants::start_hold_music(call, id, &body))
        });
        self.each(made.collect())
    }

    pub(super) fn resume(&mut self, who: &Contact) -> usize {
        let people = self.found(&Whom::One(who.clone()));
        let made = people.iter().filter_map(|id| {
            let call = self.control.id()?;
            Some(participants::stop_hold_music(call, id, None))
        });
        self.each(made.collect())
    }

    fn each(&mut self, made: Vec<Made>) -> usize {
        let requests = made.into_iter().filter_map(Result::ok);
        let orders = requests.map(|request| self.control.order(Command::Operation(request)));
        orders.filter(Result::is_ok).count()
    }

    /// What the flow asked of others is on its way, if there is anybody.
    pub(super) fn asked_of(&mut self, asked: usize, whom: &Whom) -> Vec<Action> {
        let done = asked > 0 || *whom == Whom::All;
        self.talk.input(clock::now(), Input::Done(done))
    }
}

fn member(participant: &Participant) -> Option<Member> {
    let info = participant.info.as_ref();
    let identity = info.and_then(|info| info.identity.as_ref());
    let any = identity.and_then(|set| set.any());
    Some(Member {
        id: participant.id.clone()?,
        identity: any.and_then(|any| any.id.clone()),
        name: any.and_then(|any| any.display_name.clone()),
        muted: participant.is_muted == Some(true),
    })
}

fn shown(member: Member) -> String {
    member.name.unwrap_or_default()
}

fn is(contact: &Contact, member: &Member) -> bool {
    let id = match contact {
        Contact::User(id) | Contact::Phone(id) | Contact::Bot(id) => id,
        Contact::Team(_) => return false,
    };
    let identity = member.identity.as_deref();
    identity.is_some_and(|identity| identity.eq_ignore_ascii_case(id))
}
