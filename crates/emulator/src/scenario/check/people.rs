//! What is said of people: who they are, whom they call and for whom they wait.

use std::time::Duration;

use toml::Spanned;
use uuid::Uuid;

use super::super::model::{PersonModel, Text};
use super::{Check, LIMIT, People, did_you_mean};
use crate::phone::is_telephone;

/// What a call's end may say, in HTTP's manner; 0 is one without a fault.
const CODES: std::ops::RangeInclusive<i32> = 0..=999;

impl Check<'_> {
    /// Who waits for others, waits for somebody who comes: else a slip would go unseen.
    pub(super) fn waiting(&mut self, people: &People) {
        let of = |person: &Spanned<PersonModel>| {
            let steps = person.get_ref().steps.iter();
            let names = steps.filter_map(|step| step.get_ref().together.clone());
            names.collect::<Vec<_>>()
        };
        let all: Vec<(&String, Vec<Text>)> = people
            .iter()
            .map(|(who, person)| (who, of(person)))
            .collect();
        for (who, names) in &all {
            let others = || all.iter().filter(|(other, _)| other != who);
            let others = || others().flat_map(|(_, names)| names).map(Text::get_ref);
            for name in names {
                if !others().any(|other| other == name.get_ref()) {
                    let meant = did_you_mean(name.get_ref(), others().map(String::as_str));
                    let message = format!("nobody else comes to \"{}\"", name.get_ref());
                    self.findings.add(&name.span(), message, meant);
                }
            }
        }
    }

    pub(super) fn user_id(&mut self, id: &Text) -> String {
        if Uuid::try_parse(id.get_ref()).is_err() && !is_telephone(id.get_ref()) {
            let suggestion = "write a GUID, a number as +31201234567, or anonymous";
            let suggestion = Some(suggestion.to_owned());
            let message = "this can't be a user's id or a telephone";
            self.findings.add(&id.span(), message, suggestion);
        }
        id.get_ref().clone()
    }

    pub(super) fn tenant(&mut self, tenant: &Text) -> String {
        if Uuid::try_parse(tenant.get_ref()).is_err() {
            let suggestion = Some("write its GUID".to_owned());
            let message = "this can't be a tenant's id";
            self.findings.add(&tenant.span(), message, suggestion);
        }
        tenant.get_ref().clone()
    }

    /// Two with one id: bots would reach the first alone.
    pub(super) fn same_ids(&mut self, people: &People) {
        let ids = || people.values().filter_map(|one| one.get_ref().id.as_ref());
        for (index, id) in ids().enumerate() {
            let same = |other: &&Text| other.get_ref().eq_ignore_ascii_case(id.get_ref());
            if id.get_ref() != "anonymous" && ids().take(index).any(|other| same(&other)) {
                let message = "somebody else has this id";
                let suggestion = Some("give each person their own".to_owned());
                self.findings.add(&id.span(), message, suggestion);
            }
        }
    }

    /// Whom somebody calls; which applications there are is known when it is played.
    pub(super) fn callee(&mut self, target: &Text) -> String {
        let named = target.get_ref();
        if ["", "meeting:", "instance:"].contains(&named.trim()) {
            let suggestion = "write \"bot\", a client id, instance:ID or meeting:NAME".to_owned();
            let message = "this calls nobody";
            self.findings.add(&target.span(), message, Some(suggestion));
        }
        named.clone()
    }

    pub(super) fn code(&mut self, code: &Spanned<i32>) -> i32 {
        if !CODES.contains(code.get_ref()) {
            let suggestion = Some("write 0 to 999, for example 486".to_owned());
            let message = "no call ends with this code";
            self.findings.add(&code.span(), message, suggestion);
        }
        *code.get_ref()
    }

    pub(super) fn limit(&mut self, limit: Option<&Text>) -> Duration {
        let duration = self.duration_or(limit, LIMIT);
        if let Some(limit) = limit.filter(|_| duration.is_zero()) {
            let message = "nothing can be done in this time";
            self.findings.add(&limit.span(), message, None);
        }
        duration
    }
}
