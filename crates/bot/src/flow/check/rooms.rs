//! Rooms, on-call lists, teams and what is done in them, checked.

use std::time::Duration;

use toml::Spanned;

use super::{Check, did_you_mean};
use crate::flow::model::{
    AttendModel, HoldModel, InviteModel, MeetingModel, MuteModel, Name, OnCallModel, OneOrMany,
    OpenModel, RoomModel, SummonModel, TeamModel,
};
use crate::flow::plan::{Attend, Contact, Meeting, OnCall, Room, Step, Team, Tier, Which};

/// Who can be asked into a call at once (participant: invite; create call, example 3).
const MOST_AT_ONCE: usize = 5;
const A_DAY: u32 = 24 * 60 * 60;

impl Check<'_> {
    pub(super) fn room(&mut self, room: &Spanned<RoomModel>) -> Room {
        let model = room.get_ref();
        let least = if model.meeting.is_some() { 0 } else { 2 };
        if !(least..=MOST_AT_ONCE).contains(&model.with.len()) {
            let message = "a group call is begun with two to five people";
            let suggestion = "list them in with, or hold it in a meeting";
            self.problem(room.span(), message, Some(suggestion));
        }
        Room {
            start: self.node(&model.start),
            with: self.contacts(&model.with),
            subject: model.subject.clone(),
            meeting: model.meeting.as_ref().map(|meeting| self.meeting(meeting)),
            opens: model.opens.as_ref().and_then(|name| self.named_hours(name)),
        }
    }

    fn meeting(&mut self, meeting: &Spanned<MeetingModel>) -> Meeting {
        let model = meeting.get_ref();
        let mut which: Vec<Which> = Vec::new();
        which.extend(model.external_id.clone().map(Which::External));
        which.extend(model.meeting_id.clone().map(Which::Id));
        which.extend(model.join_url.clone().map(Which::JoinUrl));
        if which.len() > 1 {
            let message = "a meeting is found by one of external_id, meeting_id and join_url";
            self.problem(meeting.span(), message, None);
        }
        if !(1..=1440).contains(&model.minutes) {
            let message = "a meeting is planned for 1 to 1440 minutes";
            self.problem(meeting.span(), message, None);
        }
        Meeting {
            organizer: model.organizer.clone(),
            which: which.pop().unwrap_or(Which::New {
                minutes: model.minutes,
                template: model.template.clone(),
            }),
        }
    }

    pub(super) fn on_call(&mut self, list: &Spanned<OnCallModel>) -> OnCall {
        let model = list.get_ref();
        if model.tiers.is_empty() || model.tiers.iter().any(|tier| tier.get_ref().who.is_empty()) {
            let suggestion = "give it tiers = [{ who = [\"…\"] }]";
            self.problem(list.span(), "nobody is on call", Some(suggestion));
        }
        let people: usize = model
            .tiers
            .iter()
            .map(|tier| tier.get_ref().who.len())
            .sum();
        if !(1..=people.max(1)).contains(&model.need.into()) || !(1..=10).contains(&model.rounds) {
            let message = "need is 1 up to how many are listed, rounds 1 to 10";
            self.problem(list.span(), message, None);
        }
        if !(30..=99).contains(&model.ring) {
            let message = "a phone rings for 30 to 99 seconds";
            self.problem(list.span(), message, None);
        }
        OnCall {
            tiers: model
                .tiers
                .iter()
                .map(|tier| Tier {
                    who: self.contacts(&tier.get_ref().who),
                    within: Duration::from_secs(tier.get_ref().within.into()),
                })
                .collect(),
            need: model.need.into(),
            rounds: model.rounds.into(),
            ring_seconds: model.ring,
        }
    }

    pub(super) fn team(&mut self, name: &str, team: &Spanned<TeamModel>) -> Team {
        let model = team.get_ref();
        if model.of.is_empty() {
            self.problem(team.span(), "the team has no members", None);
        }
        if self.model.contacts.contains_key(name) {
            let message = format!("\"{name}\" is a contact already");
            self.problem(team.span(), message, Some("call the team something else"));
        }
        let of: Vec<String> = model
            .of
            .iter()
            .map(|name| self.contact_name(name))
            .collect();
        for (name, written) in of.iter().zip(&model.of) {
            let contact = self.model.contacts.get(name).map(Spanned::get_ref);
            if contact.is_some_and(|contact| contact.user.is_none()) {
                let message = format!("\"{name}\" is no user, and only users are seen available");
                self.problem(written.span(), message, None);
            }
        }
        let pick = model.pick;
        Team { of, pick }
    }

    /// What is written of contacts, without those that are wrong.
    fn contacts(&mut self, names: &[Name]) -> Vec<Contact> {
        let mut contacts = Vec::new();
        for name in names {
            let known = self.contact_name(name);
            if let Some(contact) = self.model.contacts.get(&known) {
                contacts.push(self.contact(contact));
            }
        }
        contacts
    }

    /// A contact, or a team.
    pub(super) fn taker(&mut self, name: &Name) -> String {
        if self.model.teams.contains_key(name.get_ref()) {
            return name.get_ref().clone();
        }
        let contact = self.model.contacts.get(name.get_ref());
        if contact.is_some_and(|contact| contact.get_ref().bot.is_some()) {
            let message = "a bot can be invited, and nothing else";
            self.problem(name.span(), message, None);
        }
        self.contact_name(name)
    }

    pub(super) fn invite(&mut self, model: &InviteModel) -> Step {
        let place = model.who.span();
        let names: Vec<Name> = match model.who.get_ref() {
            OneOrMany::One(name) => vec![Spanned::new(place.clone(), name.clone())],
            OneOrMany::Many(names) => names
                .iter()
                .map(|name| Spanned::new(place.clone(), name.clone()))
                .collect(),
        };
        if !(1..=MOST_AT_ONCE).contains(&names.len()) {
            self.problem(place, "one to five people are invited at once", None);
        }
        Step::Invite {
            who: names.iter().map(|name| self.contact_name(name)).collect(),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    pub(super) fn open(&mut self, model: &OpenModel) -> Step {
        let known = self.model.rooms.keys().map(String::as_str);
        self.known("room", &model.room, known.collect());
        Step::Open {
            room: model.room.get_ref().clone(),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    pub(super) fn summon(&mut self, model: &SummonModel) -> Step {
        let known = self.model.on_call.keys().map(String::as_str);
        self.known("on-call list", &model.on_call, known.collect());
        Step::Summon {
            on_call: model.on_call.get_ref().clone(),
            ask: self.node(&model.ask),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    fn known(&mut self, kind: &str, name: &Name, known: Vec<&str>) {
        if !known.contains(&name.get_ref().as_str()) {
            let suggestion = did_you_mean(name.get_ref(), known.into_iter());
            let message = format!("there is no {kind} \"{}\"", name.get_ref());
            self.report.add(name.span(), message, suggestion);
        }
    }

    pub(super) fn attend(&mut self, model: &AttendModel) -> Step {
        if !(1..=A_DAY).contains(model.timeout.get_ref()) {
            let message = "a call is attended for 1 to 86400 seconds";
            self.problem(model.timeout.span(), message, None);
        }
        let enough = match (model.people, &model.on_people) {
            (Some(people), Some(to)) => Some((people.into(), self.node(to))),
            (None, None) => None,
            (_, place) => {
                let place = place.as_ref().map_or(model.timeout.span(), Spanned::span);
                self.problem(place, "people and on_people go together", None);
                None
            }
        };
        Step::Attend(Attend {
            enough,
            greet: self.say(model.greet.as_ref()),
            farewell: self.say(model.farewell.as_ref()),
            timeout: Duration::from_secs((*model.timeout.get_ref()).into()),
            on_alone: self.node_or_otherwise(model.on_alone.as_ref()),
            on_timeout: self.node_or_otherwise(model.on_timeout.as_ref()),
        })
    }

    pub(super) fn mute(&mut self, model: &MuteModel) -> Step {
        Step::Mute {
            who: (model.who.get_ref() != "all").then(|| self.contact_name(&model.who)),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    pub(super) fn hold(&mut self, model: &HoldModel) -> Step {
        Step::Hold {
            who: self.contact_name(&model.who),
            music: self.say(model.music.as_ref()),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    pub(super) fn resume(&mut self, model: &HoldModel) -> Step {
        if let Some(music) = &model.music {
            self.problem(music.span(), "nobody hears music after being held", None);
        }
        Step::Resume {
            who: self.contact_name(&model.who),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }
}
