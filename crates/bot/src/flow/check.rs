//! From what is written to what can be run, or to all that is wrong with it.

mod graph;
mod rooms;
mod steps;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use super::model::{ContactModel, FlowModel, HoursModel, Name, NodeModel, PromptModel};
use super::plan::{Contact, EngineRights, Flow, Hours, Node, NodeId, PromptSource};
use super::problem::{Problems, Report, did_you_mean};
use super::text;

/// Says why a prompt's file can't be played.
type Usable<'a> = &'a dyn Fn(&str) -> Result<(), String>;

pub(super) fn parse(text: &str, usable: Usable<'_>) -> Result<Flow, Problems> {
    match toml::from_str(text) {
        Ok(model) => check(Report::new(text), &model, usable),
        Err(error) => Err(Report::new(text).unreadable(&error)),
    }
}

/// A flow beside other things.
#[derive(Deserialize)]
struct Inside {
    flow: FlowModel,
}

pub(super) fn parse_inside(text: &str, usable: Usable<'_>) -> Result<Flow, Problems> {
    match toml::from_str::<Inside>(text) {
        Ok(inside) => check(Report::new(text), &inside.flow, usable),
        Err(error) => Err(Report::new(text).unreadable(&error)),
    }
}

fn check(report: Report<'_>, model: &FlowModel, usable: Usable<'_>) -> Result<Flow, Problems> {
    let mut check = Check::new(report, model, usable);
    let flow = check.flow(model);
    if check.report.is_empty() {
        graph::check(&flow, model, &mut check.report);
    }
    match check.report.is_empty() {
        true => Ok(flow),
        false => Err(check.report.into_problems()),
    }
}

/// Looks names up, and reports those that aren't there.
struct Check<'a> {
    report: Report<'a>,
    model: &'a FlowModel,
    ids: BTreeMap<&'a str, NodeId>,
    otherwise: NodeId,
    fallback: NodeId,
    hours: BTreeMap<&'a str, Hours>,
    /// Whether a prompt's file is there.
    usable: Usable<'a>,
}

impl<'a> Check<'a> {
    fn new(report: Report<'a>, model: &'a FlowModel, usable: Usable<'a>) -> Self {
        let ids = model
            .nodes
            .keys()
            .enumerate()
            .map(|(index, name)| (name.as_str(), NodeId(index)));
        let mut check = Self {
            report,
            model,
            ids: ids.collect(),
            otherwise: NodeId(0),
            fallback: NodeId(0),
            hours: BTreeMap::new(),
            usable,
        };
        check.otherwise = check.node(&model.otherwise);
        check.fallback = match &model.fallback {
            Some(name) => check.node(name),
            None => check.otherwise,
        };
        check
    }

    fn flow(&mut self, model: &'a FlowModel) -> Flow {
        for (name, hours) in &model.hours {
            if let Some(hours) = self.hours(hours.get_ref()) {
                self.hours.insert(name, hours);
            }
        }
        Flow {
            start: self.node(&model.start),
            otherwise: self.otherwise,
            fallback: self.fallback,
            language: model.language.clone(),
            media: model.media,
            from: model.from.clone(),
            prompts: model
                .prompts
                .iter()
                .map(|(name, prompt)| (name.clone(), self.prompt(prompt)))
                .collect(),
            contacts: model
                .contacts
                .iter()
                .map(|(name, contact)| (name.clone(), self.contact(contact)))
                .collect(),
            teams: model
                .teams
                .iter()
                .map(|(name, team)| (name.clone(), self.team(name, team)))
                .collect(),
            on_call: model
                .on_call
                .iter()
                .map(|(name, list)| (name.clone(), self.on_call(list)))
                .collect(),
            rooms: model
                .rooms
                .iter()
                .map(|(name, room)| (name.clone(), self.room(room)))
                .collect(),
            variables: model
                .variables
                .iter()
                .map(|name| self.variable(name))
                .collect(),
            engine: EngineRights {
                say: model.engine.say,
                hang_up: model.engine.hang_up,
                collect: model.engine.collect,
                mute: model.engine.mute,
                transfer: model
                    .engine
                    .transfer
                    .iter()
                    .map(|name| self.contact_name(name))
                    .collect(),
                invite: model
                    .engine
                    .invite
                    .iter()
                    .map(|name| self.contact_name(name))
                    .collect(),
            },
            nodes: model
                .nodes
                .iter()
                .map(|(name, node)| self.compile(name, node))
                .collect(),
        }
    }

    fn compile(&mut self, name: &str, node: &Spanned<NodeModel>) -> Node {
        let model = node.get_ref();
        Node {
            name: name.to_owned(),
            about: model.about.clone(),
            outcome: model.outcome.clone(),
            say: self.say(model.say.as_ref()),
            interruptible: model.interruptible,
            step: self.step(name, node),
        }
    }

    fn problem(
        &mut self,
        place: Range<usize>,
        message: impl Into<String>,
        suggestion: Option<&str>,
    ) {
        self.report
            .add(place, message.into(), suggestion.map(str::to_owned));
    }

    /// The node of a name; any node when there is none, which is reported.
    fn node(&mut self, name: &Name) -> NodeId {
        if let Some(id) = self.ids.get(name.get_ref().as_str()) {
            return *id;
        }
        let suggestion = did_you_mean(name.get_ref(), self.ids.keys().copied())
            .unwrap_or_else(|| format!("add [nodes.{}]", name.get_ref()));
        self.problem(
            name.span(),
            format!("there is no node \"{}\"", name.get_ref()),
            Some(&suggestion),
        );
        NodeId(0)
    }

    /// Where `name` leads, or the flow's `otherwise`.
    fn node_or_otherwise(&mut self, name: Option<&Name>) -> NodeId {
        name.map_or(self.otherwise, |name| self.node(name))
    }

    fn say(&mut self, name: Option<&Name>) -> Option<String> {
        let name = name?;
        if !self.model.prompts.contains_key(name.get_ref()) {
            let known = self.model.prompts.keys().map(String::as_str);
            let suggestion = did_you_mean(name.get_ref(), known)
                .unwrap_or_else(|| format!("add [prompts.{}] with a file or text", name.get_ref()));
            self.problem(
                name.span(),
                format!("there is no prompt \"{}\"", name.get_ref()),
                Some(&suggestion),
            );
        }
        Some(name.get_ref().clone())
    }

    fn contact_name(&mut self, name: &Name) -> String {
        if !self.model.contacts.contains_key(name.get_ref()) {
            let known = self.model.contacts.keys().map(String::as_str);
            let suggestion = did_you_mean(name.get_ref(), known)
                .unwrap_or_else(|| format!("add [contacts.{}] with user or phone", name.get_ref()));
            self.problem(
                name.span(),
                format!("there is no contact \"{}\"", name.get_ref()),
                Some(&suggestion),
            );
        }
        name.get_ref().clone()
    }

    fn prompt(&mut self, prompt: &Spanned<PromptModel>) -> PromptSource {
        let PromptModel { file, text } = prompt.get_ref();
        if let Some(path) = file
            && let Err(why) = (self.usable)(path)
        {
            self.problem(prompt.span(), why, Some("record it, or give a text"));
        }
        match (file, text) {
            (Some(path), text) => PromptSource::File {
                path: path.clone(),
                text: text.clone(),
            },
            (None, Some(words)) if !words.trim().is_empty() => self.text(prompt, words),
            _ => {
                self.problem(
                    prompt.span(),
                    "the prompt has nothing to say",
                    Some("give it a file or a text"),
                );
                PromptSource::Text(String::new())
            }
        }
    }

    fn text(&mut self, prompt: &Spanned<PromptModel>, words: &str) -> PromptSource {
        let names = text::variables(words);
        let given = self
            .model
            .variables
            .iter()
            .map(|name| name.get_ref().as_str());
        let known: Vec<&str> = given.chain(text::OF_CALLS).collect();
        for name in names.iter().filter(|name| !known.contains(name)) {
            let suggestion = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| "list it in variables, or write {{ for a brace".to_owned());
            let message = format!("there is no variable \"{name}\"");
            self.report.add(prompt.span(), message, Some(suggestion));
        }
        match names.is_empty() {
            true => PromptSource::Text(text::filled(words, |_| String::new())),
            false => PromptSource::Template(words.to_owned()),
        }
    }

    fn variable(&mut self, name: &Name) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let known = text::OF_CALLS.contains(&name.get_ref().as_str());
        if known || name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
            let message = format!("\"{}\" can't be the name of a variable", name.get_ref());
            let suggestion = "use letters, digits and _; people and count are every call's";
            self.problem(name.span(), message, Some(suggestion));
        }
        name.get_ref().clone()
    }

    fn contact(&mut self, contact: &Spanned<ContactModel>) -> Contact {
        let ContactModel { user, phone, bot } = contact.get_ref();
        match (user, phone, bot) {
            (Some(user), None, None) => Contact::User(user.clone()),
            (None, Some(phone), None) if is_e164(phone) => Contact::Phone(phone.clone()),
            (None, None, Some(bot)) => Contact::Bot(bot.clone()),
            (None, Some(_), None) => {
                let suggestion = "write + and the whole number, \"+31201234567\"";
                self.problem(
                    contact.span(),
                    "the phone number isn't in E.164 form",
                    Some(suggestion),
                );
                Contact::Phone(String::new())
            }
            _ => {
                self.problem(
                    contact.span(),
                    "the contact must have one of user, phone and bot",
                    None,
                );
                Contact::User(String::new())
            }
        }
    }

    /// The opening hours of a name.
    fn named_hours(&mut self, name: &Name) -> Option<Hours> {
        let hours = self.hours.get(name.get_ref().as_str()).cloned();
        if hours.is_none() && !self.model.hours.contains_key(name.get_ref()) {
            let known = self.model.hours.keys().map(String::as_str);
            let suggestion = did_you_mean(name.get_ref(), known);
            let message = format!("there are no hours \"{}\"", name.get_ref());
            self.report.add(name.span(), message, suggestion);
        }
        hours
    }

    fn hours(&mut self, hours: &HoursModel) -> Option<Hours> {
        let days = hours
            .days
            .iter()
            .map(|day| self.weekday(day))
            .collect::<Vec<_>>();
        let from = self.time(&hours.from);
        let to = match hours.to.get_ref().as_str() {
            "24:00" => Some(None),
            _ => self.time(&hours.to).map(Some),
        };
        let zone = TimeZone::get(hours.zone.get_ref()).ok();
        if zone.is_none() {
            let message = format!("there is no time zone \"{}\"", hours.zone.get_ref());
            self.problem(
                hours.zone.span(),
                message,
                Some("use an IANA name, \"Europe/Amsterdam\""),
            );
        }
        let hours_of_day = Hours {
            days: days.into_iter().collect::<Option<_>>()?,
            from: from?,
            to: to?,
            zone: zone?,
        };
        if hours_of_day.to.is_some_and(|to| to <= hours_of_day.from) {
            let suggestion = "write hours over midnight as two tables";
            self.problem(
                hours.to.span(),
                "the hours end before they begin",
                Some(suggestion),
            );
        }
        Some(hours_of_day)
    }

    fn weekday(&mut self, day: &Name) -> Option<Weekday> {
        const DAYS: [(&str, Weekday); 7] = [
            ("mon", Weekday::Monday),
            ("tue", Weekday::Tuesday),
            ("wed", Weekday::Wednesday),
            ("thu", Weekday::Thursday),
            ("fri", Weekday::Friday),
            ("sat", Weekday::Saturday),
            ("sun", Weekday::Sunday),
        ];
        let known = DAYS.iter().find(|(name, _)| name == day.get_ref());
        if known.is_none() {
            let suggestion = "the days are mon, tue, wed, thu, fri, sat and sun";
            self.problem(
                day.span(),
                format!("there is no day \"{}\"", day.get_ref()),
                Some(suggestion),
            );
        }
        known.map(|(_, day)| *day)
    }

    fn time(&mut self, time: &Name) -> Option<Time> {
        let parsed = time.get_ref().split_once(':').and_then(|(hour, minute)| {
            let two = |text: &str| {
                if text.len() == 2 {
                    text.parse::<i8>().ok()
                } else {
                    None
                }
            };
            Time::new(two(hour)?, two(minute)?, 0, 0).ok()
        });
        if parsed.is_none() {
            let message = format!("\"{}\" is not a time of day", time.get_ref());
            self.problem(
                time.span(),
                message,
                Some("write hours and minutes, \"09:00\""),
            );
        }
        parsed
    }
}

/// `+` and up to 15 digits (ITU-T E.164 §6.2.1).
fn is_e164(phone: &str) -> bool {
    let digits = phone.strip_prefix('+').unwrap_or_default();
    (2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
