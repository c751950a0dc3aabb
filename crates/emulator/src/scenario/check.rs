//! From what is written to what can be run, or to all that is wrong with it.

mod people;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use switchboard_media::event::Digit;
use switchboard_media::prompt::Prompt;
use switchboard_media::tone::{DtmfTone, dial};
use switchboard_signaling::types::LobbyBypassScope;
use toml::Spanned;

use super::model::{
    DurationModel, EnergyModel, MeetingModel, NetworkModel, PersonModel, ScenarioModel, StepModel,
    Text,
};
use super::plan::{Act, Audio, Keys, MeetingPlan, Person, Scenario, Stage, Step};
use super::problem::{Findings, Problems, did_you_mean};
use crate::faults::Rule;
use crate::judge::Offence;
use crate::network::{Conditions, NetworkRule};
use crate::phone::{PhoneRole, PhoneUser};

/// How long a scenario may take unless it says so.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a step waits unless it says so.
const WITHIN: Duration = Duration::from_secs(15);
/// How long silence has to last, or energy is measured, unless the step says so.
const SPAN: Duration = Duration::from_secs(1);
/// How long a key is held down if not told, and may be.
const KEY_DOWN: Duration = Duration::from_millis(100);
const KEYS_DOWN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(20)..=Duration::from_millis(1_300);
const RATE: u32 = 16_000;

type People = BTreeMap<String, Spanned<PersonModel>>;
/// Gives the audio of a path.
type Source<'a> = &'a mut dyn FnMut(&str) -> Result<Audio, String>;

pub(super) fn parse(text: &str, audio: Source<'_>) -> Result<Scenario, Problems> {
    let findings = Findings::new(text);
    let model: ScenarioModel = match toml::from_str(text) {
        Ok(model) => model,
        Err(error) => return Err(findings.unreadable(&error)),
    };
    let mut check = Check {
        text,
        findings,
        audio,
    };
    let scenario = check.scenario(model);
    match check.findings.is_empty() {
        true => Ok(scenario),
        false => Err(check.findings.into_problems()),
    }
}

struct Check<'a> {
    text: &'a str,
    findings: Findings<'a>,
    audio: Source<'a>,
}

impl Check<'_> {
    fn scenario(&mut self, model: ScenarioModel) -> Scenario {
        if model.people.is_empty() {
            let suggestion = Some("add [people.caller] with steps".to_owned());
            self.findings.add(&(0..0), "nobody takes part", suggestion);
        }
        self.waiting(&model.people);
        self.same_ids(&model.people);
        Scenario {
            name: model.name.unwrap_or_default(),
            limit: self.limit(model.limit.as_ref()),
            overlook: model
                .overlook
                .iter()
                .filter_map(|rule| self.one_of(rule, "rule of the judge", &Offence::NAMED))
                .collect(),
            faults: model
                .faults
                .into_iter()
                .map(|rule| {
                    self.rule(&rule, &model.people);
                    rule.into_inner()
                })
                .collect(),
            meetings: model
                .meetings
                .iter()
                .filter_map(|(name, meeting)| {
                    Some((name.clone(), self.meeting(meeting, &model.people)?))
                })
                .collect(),
            people: model
                .people
                .iter()
                .map(|(name, person)| self.person(name, person))
                .collect(),
        }
    }

    /// A fault's rule: what it names must be there.
    fn rule(&mut self, rule: &Spanned<Rule>, people: &People) {
        let (rule, span) = (rule.get_ref(), rule.span());
        if let Err(error) = rule.check() {
            let suggestion = error.suggestion();
            let place = match suggestion {
                Some(_) => self.value_in(&span, "operation"),
                None => span.clone(),
            };
            self.findings.add(&place, error.to_string(), suggestion);
        }
        if let Some(person) = &rule.person
            && !people.contains_key(person)
        {
            let names = people.keys().map(String::as_str);
            let all = names.clone().collect::<Vec<_>>().join(", ");
            let suggestion =
                did_you_mean(person, names).unwrap_or_else(|| format!("use one of {all}"));
            let message = format!("nobody is called \"{person}\"");
            let place = self.value_in(&span, "person");
            self.findings.add(&place, message, Some(suggestion));
        }
    }

    /// Where a table has the value of a key: rules are read as requests have them, without
    /// places.
    fn value_in(&self, table: &Range<usize>, key: &str) -> Range<usize> {
        // A table of its own goes on after its header, to the next one.
        let after = self.text.get(table.end..).unwrap_or_default();
        let more = match self.text[table.start..].starts_with("[[") {
            true => after.find("\n[").unwrap_or(after.len()),
            false => 0,
        };
        let whole = table.start..table.end + more;
        let written = self.text.get(whole).unwrap_or_default();
        let keys = written.match_indices(key);
        let mut values = keys.filter_map(|(at, _)| {
            let rest = &written[at + key.len()..];
            let value = rest.trim_start().strip_prefix('=')?.trim_start();
            Some(table.start + written.len() - value.len())
        });
        values.next().map_or(table.clone(), |at| at..at + 1)
    }

    fn meeting(&mut self, model: &MeetingModel, people: &People) -> Option<MeetingPlan> {
        let scopes = [
            ("organizer", LobbyBypassScope::Organizer),
            ("invited", LobbyBypassScope::Invited),
            ("organization", LobbyBypassScope::Organization),
            (
                "organizationExcludingGuests",
                LobbyBypassScope::OrganizationExcludingGuests,
            ),
            (
                "organizationAndFederated",
                LobbyBypassScope::OrganizationAndFederated,
            ),
            ("everyone", LobbyBypassScope::Everyone),
        ];
        let scope = self.one_of(&model.lobby, "scope of a lobby", &scopes)?;
        let invited = model.invited.iter();
        let invited = invited.filter_map(|name| self.invited(name, people));
        Some(MeetingPlan {
            scope,
            invited: invited.collect(),
        })
    }

    /// The id of a person who is invited.
    fn invited(&mut self, name: &Text, people: &People) -> Option<String> {
        let person = people.get(name.get_ref()).map(Spanned::get_ref);
        let id = person.and_then(|person| Some(person.id.as_ref()?.get_ref().clone()));
        if id.is_none() {
            let suggestion = Some("name one of the people and give them an id".to_owned());
            let message = "only people with an id can be invited";
            self.findings.add(&name.span(), message, suggestion);
        }
        id
    }

    fn person(&mut self, name: &str, model: &Spanned<PersonModel>) -> Person {
        let person = model.get_ref();
        if person.steps.is_empty() {
            let suggestion = Some("add a step, for example { call = \"bot\" }".to_owned());
            self.findings
                .add(&model.span(), format!("{name} does nothing"), suggestion);
        }
        let roles = [("caller", PhoneRole::Caller), ("agent", PhoneRole::Agent)];
        let role = person.role.as_ref();
        Person {
            name: name.to_owned(),
            role: role
                .and_then(|role| self.one_of(role, "role", &roles))
                .unwrap_or(PhoneRole::Caller),
            user: PhoneUser {
                id: person.id.as_ref().map(|id| self.user_id(id)),
                tenant: person.tenant.as_ref().map(|tenant| self.tenant(tenant)),
            },
            steps: person
                .steps
                .iter()
                .filter_map(|step| self.step(name, step))
                .collect(),
        }
    }

    fn step(&mut self, person: &str, spanned: &Spanned<StepModel>) -> Option<Step> {
        let (model, span) = (spanned.get_ref(), spanned.span());
        let mut acts = self.acts(model);
        let network = model.network.as_ref();
        acts.extend(network.and_then(|network| self.network(network, person)));
        acts.extend(self.expectations(model));
        let act = match acts.len() {
            1 => acts.pop()?,
            count => {
                self.miscounted(&span, count, model);
                return None;
            }
        };
        self.misplaced(model, &act);
        let written = self.text.get(span.clone()).unwrap_or_default();
        Some(Step {
            line: self.findings.place(span.start).0,
            text: cited(written),
            act,
        })
    }

    /// A step with more than one action, or none; values that are wrong in themselves
    /// were reported already.
    fn miscounted(&mut self, span: &Range<usize>, count: usize, model: &StepModel) {
        if count > 1 {
            let suggestion = Some("make a step of each".to_owned());
            self.findings
                .add(span, "the step does more than one thing", suggestion);
        } else if model.is_empty() {
            let suggestion = "give it one of call, accept, decline, hang_up, admit, say, press, pause, hear, \
                              hear_keys, reach, together, network, advance_clock, expect_state, expect_energy, \
                              expect_duration, expect_end";
            self.findings
                .add(span, "the step does nothing", Some(suggestion.to_owned()));
        }
    }

    fn acts(&mut self, model: &StepModel) -> Vec<Act> {
        let within = self.duration_or(model.within.as_ref(), WITHIN);
        let span = self.duration_or(model.span.as_ref(), SPAN);
        let mut acts = Vec::new();
        let call = model.call.as_ref();
        acts.extend(call.map(|target| Act::Call {
            target: self.callee(target),
        }));
        for (wanted, act) in [
            (&model.accept, Act::Accept { within }),
            (&model.decline, Act::Decline { within }),
            (&model.hang_up, Act::HangUp),
        ] {
            acts.extend(
                wanted
                    .as_ref()
                    .and_then(|wanted| self.only_true(wanted, act)),
            );
        }
        acts.extend(model.admit.as_ref().map(|name| Act::Admit {
            name: name.get_ref().clone(),
            within,
        }));
        acts.extend(model.say.as_ref().and_then(|path| self.say(path, model)));
        acts.extend(
            model
                .press
                .as_ref()
                .and_then(|keys| self.press(keys, model)),
        );
        let pause = model.pause.as_ref();
        acts.extend(pause.and_then(|text| self.duration(text)).map(Act::Pause));
        let heard = [
            ("speech", Act::HearSpeech { within }),
            ("sound", Act::HearSound { within }),
            ("silence", Act::HearSilence { span, within }),
        ];
        let hear = model.hear.as_ref();
        acts.extend(hear.and_then(|what| self.one_of(what, "thing to hear", &heard)));
        let keys = model.hear_keys.as_ref().and_then(|keys| self.keys(keys));
        acts.extend(keys.map(|keys| Act::HearKeys { keys, within }));
        let reach = model.reach.as_ref().and_then(|state| self.stage(state));
        acts.extend(reach.map(|state| Act::Reach { state, within }));
        let together = model.together.as_ref();
        acts.extend(together.map(|name| Act::Together(name.get_ref().clone())));
        let advance = model.advance_clock.as_ref();
        acts.extend(
            advance
                .and_then(|by| self.duration(by))
                .map(Act::AdvanceClock),
        );
        acts
    }

    fn expectations(&mut self, model: &StepModel) -> Vec<Act> {
        let within = self.duration_or(model.within.as_ref(), WITHIN);
        let span = self.duration_or(model.span.as_ref(), SPAN);
        let mut acts = Vec::new();
        let state = model.expect_state.as_ref();
        acts.extend(
            state
                .and_then(|state| self.stage(state))
                .map(Act::ExpectState),
        );
        let energy = model.expect_energy.as_ref();
        acts.extend(energy.and_then(|energy| self.energy(energy, span)));
        let duration = model.expect_duration.as_ref();
        acts.extend(duration.and_then(|duration| self.talk_time(duration)));
        acts.extend(model.expect_end.as_ref().map(|code| Act::ExpectEnd {
            code: self.code(code),
            within,
        }));
        acts
    }

    fn network(&mut self, spanned: &Spanned<NetworkModel>, person: &str) -> Option<Act> {
        let model = spanned.get_ref();
        let conditions = Conditions {
            loss: model.loss,
            burst: model.burst,
            delay_ms: model.delay_ms,
            jitter_ms: model.jitter_ms,
            reorder: model.reorder,
            duplicate: model.duplicate,
            stall: model.stall,
            address_change: model.address_change,
        };
        if let Err(error) = conditions.check() {
            self.findings.add(&spanned.span(), error.to_string(), None);
            return None;
        }
        Some(Act::Network(NetworkRule {
            direction: model.direction,
            ..NetworkRule::new(Some(person.to_owned()), conditions)
        }))
    }

    fn only_true(&mut self, wanted: &Spanned<bool>, act: Act) -> Option<Act> {
        if *wanted.get_ref() {
            return Some(act);
        }
        let suggestion = Some("leave the step out".to_owned());
        self.findings
            .add(&wanted.span(), "only true is of use here", suggestion);
        None
    }

    fn say(&mut self, path: &Text, model: &StepModel) -> Option<Act> {
        match (self.audio)(path.get_ref()) {
            Ok(audio) => Some(Act::Say {
                audio,
                background: model.background.as_ref().is_some_and(|yes| *yes.get_ref()),
            }),
            Err(why) => {
                self.findings.add(&path.span(), why, None);
                None
            }
        }
    }

    fn press(&mut self, text: &Text, model: &StepModel) -> Option<Act> {
        let keys = self.keys(text)?;
        let manners = [("events", false), ("tones", true)];
        let manner = model.manner.as_ref();
        let in_band = match manner {
            Some(manner) => self.one_of(manner, "way to press keys", &manners)?,
            None => false,
        };
        if !in_band {
            return self
                .key_down(model.span.as_ref())
                .map(|down| Act::Press { keys, down });
        }
        let like = DtmfTone::new(*keys.0.first()?);
        let samples = dial(RATE, text.get_ref(), &like);
        match Prompt::from_samples(RATE, &samples) {
            Ok(audio) => Some(Act::Tones(audio)),
            Err(error) => {
                self.findings.add(&text.span(), error.to_string(), None);
                None
            }
        }
    }

    /// How long each key is held down.
    fn key_down(&mut self, text: Option<&Text>) -> Option<Duration> {
        let down = self.duration_or(text, KEY_DOWN);
        if KEYS_DOWN.contains(&down) {
            return Some(down);
        }
        let suggestion = Some("hold keys for 20 ms to 1.3 s".to_owned());
        let place = text.map(Spanned::span).unwrap_or_default();
        self.findings
            .add(&place, "no key is held down for so long", suggestion);
        None
    }

    fn keys(&mut self, text: &Text) -> Option<Keys> {
        let digits: Option<Vec<_>> = text.get_ref().chars().map(Digit::from_char).collect();
        match digits {
            Some(digits) if (1..=100).contains(&digits.len()) => Some(Keys(digits)),
            _ => {
                let message = "these are not keys";
                let suggestion = "write 1 to 100 of 0-9, *, #, A-D without anything between them";
                self.findings
                    .add(&text.span(), message, Some(suggestion.to_owned()));
                None
            }
        }
    }

    fn stage(&mut self, text: &Text) -> Option<Stage> {
        self.one_of(text, "state", &Stage::NAMED)
    }

    fn energy(&mut self, spanned: &Spanned<EnergyModel>, span: Duration) -> Option<Act> {
        let EnergyModel { above, below } = *spanned.get_ref();
        let bounds = above.is_some() || below.is_some();
        let (above, below) = (above.unwrap_or(-127.0), below.unwrap_or(0.0));
        if bounds && (-127.0..=0.0).contains(&above) && (above..=0.0).contains(&below) {
            return Some(Act::ExpectEnergy { above, below, span });
        }
        let suggestion =
            "give above, below or both in dBov, -127 to 0, for example { above = -45 }";
        self.findings.add(
            &spanned.span(),
            "no level fits these bounds",
            Some(suggestion.to_owned()),
        );
        None
    }

    fn talk_time(&mut self, spanned: &Spanned<DurationModel>) -> Option<Act> {
        let model = spanned.get_ref();
        let at_least = self.duration_or(model.at_least.as_ref(), Duration::ZERO);
        let at_most = self.duration_or(model.at_most.as_ref(), Duration::MAX);
        let bounds = model.at_least.is_some() || model.at_most.is_some();
        if bounds && at_least <= at_most {
            return Some(Act::ExpectDuration { at_least, at_most });
        }
        let suggestion = "give at_least, at_most or both, for example { at_most = \"10s\" }";
        self.findings.add(
            &spanned.span(),
            "no duration fits these bounds",
            Some(suggestion.to_owned()),
        );
        None
    }

    /// The value of a name.
    fn one_of<T: Clone>(&mut self, text: &Text, what: &str, names: &[(&str, T)]) -> Option<T> {
        let written = text.get_ref().as_str();
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == written) {
            return Some(value.clone());
        }
        let known: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let suggestion = did_you_mean(written, known.iter().copied())
            .unwrap_or_else(|| format!("use one of {}", known.join(", ")));
        let message = format!("there is no {what} \"{written}\"");
        self.findings.add(&text.span(), message, Some(suggestion));
        None
    }

    fn duration_or(&mut self, text: Option<&Text>, default: Duration) -> Duration {
        let written = text.and_then(|text| self.duration(text));
        written.unwrap_or(default)
    }

    fn duration(&mut self, text: &Text) -> Option<Duration> {
        let duration = duration(text.get_ref());
        if duration.is_none() {
            let message = format!("\"{}\" is no duration", text.get_ref());
            let suggestion =
                "write a number with ms, s, m or h, for example \"1.5s\"; a week at most";
            self.findings
                .add(&text.span(), message, Some(suggestion.to_owned()));
        }
        duration
    }

    /// Settings that mean nothing for what the step does.
    fn misplaced(&mut self, model: &StepModel, act: &Act) {
        let waits = matches!(
            act,
            Act::Accept { .. }
                | Act::Decline { .. }
                | Act::Admit { .. }
                | Act::HearSpeech { .. }
                | Act::HearSound { .. }
                | Act::HearSilence { .. }
                | Act::HearKeys { .. }
                | Act::Reach { .. }
                | Act::ExpectEnd { .. }
        );
        let lasts = matches!(
            act,
            Act::HearSilence { .. } | Act::ExpectEnergy { .. } | Act::Press { .. }
        );
        let place = |text: &Option<Text>| text.as_ref().map(Spanned::span);
        let background = model.background.as_ref().map(Spanned::span);
        for (name, place, of_use) in [
            ("within", place(&model.within), waits),
            ("for", place(&model.span), lasts),
            ("as", place(&model.manner), model.press.is_some()),
            ("background", background, model.say.is_some()),
        ] {
            if let Some(place) = place.filter(|_| !of_use) {
                let suggestion = Some("leave it out".to_owned());
                let message = format!("{name} means nothing in this step");
                self.findings.add(&place, message, suggestion);
            }
        }
    }
}

impl StepModel {
    /// Whether it has no action at all, not even a wrong one.
    fn is_empty(&self) -> bool {
        let texts = [
            &self.call,
            &self.admit,
            &self.say,
            &self.press,
            &self.pause,
            &self.hear,
            &self.hear_keys,
            &self.reach,
            &self.together,
            &self.advance_clock,
            &self.expect_state,
        ];
        let switches = [&self.accept, &self.decline, &self.hang_up];
        texts.iter().all(|text| text.is_none())
            && switches.iter().all(|switch| switch.is_none())
            && self.network.is_none()
            && self.expect_energy.is_none()
            && self.expect_duration.is_none()
            && self.expect_end.is_none()
    }
}

/// A number and its unit, a week at most.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let seconds = digits.parse::<f64>().ok().filter(|_| plain)? * unit;
    (seconds <= 7.0 * 24.0 * 3600.0).then(|| Duration::from_secs_f64(seconds))
}

/// A step as reports have it: in one line, without the braces around it.
fn cited(written: &str) -> String {
    let lines: Vec<_> = written.lines().map(str::trim).collect();
    let line = lines.join(" ");
    let inside = line
        .strip_prefix('{')
        .and_then(|line| line.strip_suffix('}'));
    inside
        .unwrap_or(&line)
        .trim()
        .trim_end_matches(',')
        .to_owned()
}
