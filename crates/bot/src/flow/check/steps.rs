//! What a node does, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::Check;
use crate::flow::model::{
    CaseModel, CollectModel, Hosting, InviteModel, ListenModel, Name, NodeModel, OneOrMany,
    RecordModel, Refusal, RejectModel, StreamModel, TransferModel, WebhookModel,
};
use crate::flow::plan::{Collect, Condition, Listen, NodeId, Step, Stream, Webhook};

/// The keys of a telephone (ITU-T Q.23).
const KEYS: &str = "0123456789*#ABCD";

impl Check<'_> {
    pub(super) fn step(&mut self, name: &str, node: &Spanned<NodeModel>) -> Step {
        let model = node.get_ref();
        let mut steps = self.steps(model);
        let suggestion = "give it one of next, listen, collect, branch, transfer, redirect, reject, invite, \
                          record, stream, webhook, hang_up";
        match steps.len() {
            0 => self.problem(
                node.span(),
                format!("the node \"{name}\" leads nowhere"),
                Some(suggestion),
            ),
            1 => {}
            _ => self.problem(
                node.span(),
                format!("the node \"{name}\" does more than one thing"),
                Some(suggestion),
            ),
        }
        let step = steps.pop().unwrap_or(Step::HangUp);
        if matches!(step, Step::Redirect { .. } | Step::Reject(_))
            && let Some(say) = &model.say
        {
            let suggestion = "remove say, or answer and use transfer or hang_up";
            self.problem(
                say.span(),
                "nothing can be said before the call is answered",
                Some(suggestion),
            );
        }
        step
    }

    fn steps(&mut self, model: &NodeModel) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(model.next.as_ref().map(|next| Step::Next(self.node(next))));
        steps.extend(model.listen.as_ref().map(|listen| self.listen(listen)));
        steps.extend(
            model
                .collect
                .as_ref()
                .map(|collect| self.collect(collect.get_ref())),
        );
        steps.extend(model.branch.as_ref().map(|cases| self.branch(cases)));
        steps.extend(
            model
                .transfer
                .as_ref()
                .map(|transfer| self.transfer(transfer.get_ref())),
        );
        steps.extend(model.redirect.as_ref().map(|to| Step::Redirect {
            to: self.contact_name(to),
        }));
        steps.extend(model.reject.and_then(|reject| match reject {
            RejectModel::Plain(false) => None,
            RejectModel::Plain(true) => Some(Step::Reject(Refusal::None)),
            RejectModel::Because(why) => Some(Step::Reject(why)),
        }));
        steps.extend(
            model
                .invite
                .as_ref()
                .map(|invite| self.invite(invite.get_ref())),
        );
        steps.extend(
            model
                .record
                .as_ref()
                .map(|record| self.record(record.get_ref())),
        );
        steps.extend(model.stream.as_ref().map(|stream| self.stream(stream)));
        steps.extend(
            model
                .webhook
                .as_ref()
                .map(|webhook| self.webhook(webhook.get_ref())),
        );
        steps.extend((model.hang_up == Some(true)).then_some(Step::HangUp));
        steps
    }

    fn listen(&mut self, spanned: &Spanned<ListenModel>) -> Step {
        let model = spanned.get_ref();
        if model.keys.is_empty() && model.intents.is_empty() && model.keywords.is_empty() {
            let suggestion = "give it keys, intents or keywords";
            self.problem(
                spanned.span(),
                "the node listens for nothing",
                Some(suggestion),
            );
        }
        if !(0.0..=1.0).contains(&model.confidence) {
            self.problem(spanned.span(), "confidence must be from 0 to 1", None);
        }
        let keys = model
            .keys
            .iter()
            .map(|(key, to)| (self.key(key), self.node(to)))
            .collect();
        let keywords = model
            .keywords
            .iter()
            .map(|(word, to)| (self.keyword(word), self.node(to)));
        let mut listen = Listen {
            keys,
            keywords: keywords.collect(),
            intents: self.nodes(&model.intents),
            confidence: model.confidence,
            sentiment: None,
            timeout: self.seconds(&model.timeout),
            retries: model.retries,
            sorry: self.say(model.sorry.as_ref()),
            remind: self.say(model.remind.as_ref()),
            barge_in: model.barge_in,
            on_timeout: self.node_or_otherwise(model.on_timeout.as_ref()),
            on_invalid: self.node_or_otherwise(model.on_invalid.as_ref()),
            on_engine_down: model.on_engine_down.as_ref().map(|name| self.node(name)),
        };
        if let Some(sentiment) = &model.sentiment {
            let below = sentiment.get_ref().below;
            if !(-1.0..=1.0).contains(&below) {
                self.problem(
                    sentiment.span(),
                    "a mood is from -1 (very negative) to 1",
                    None,
                );
            }
            listen.sentiment = Some((below, self.node(&sentiment.get_ref().goto)));
        }
        if listen.needs_engine() && listen.keys.is_empty() {
            listen.on_engine_down = listen.on_engine_down.or(Some(self.fallback));
        }
        Step::Listen(listen)
    }

    fn nodes(&mut self, names: &BTreeMap<String, Name>) -> BTreeMap<String, NodeId> {
        names
            .iter()
            .map(|(label, to)| (label.clone(), self.node(to)))
            .collect()
    }

    fn key(&mut self, key: &Name) -> char {
        let mut chars = key.get_ref().chars();
        match (chars.next(), chars.next()) {
            (Some(face), None) if KEYS.contains(face) => face,
            _ => {
                let message = format!("there is no key \"{}\"", key.get_ref());
                self.problem(key.span(), message, Some("the keys are 0-9, *, # and A-D"));
                '0'
            }
        }
    }

    fn keyword(&mut self, word: &Name) -> String {
        let words = super::super::run::words(word.get_ref());
        if words.is_empty() {
            self.problem(word.span(), "a keyword needs a letter or digit", None);
        }
        words
    }

    fn collect(&mut self, model: &CollectModel) -> Step {
        if model.max == 0 || model.max > 32 || model.min > model.max {
            let suggestion = "max is 1 to 32, and min not above it";
            self.problem(
                model.into.span(),
                "this many keys can't be collected",
                Some(suggestion),
            );
        }
        Step::Collect(Collect {
            into: model.into.get_ref().clone(),
            min: model.min.into(),
            max: model.max.into(),
            terminator: model.terminator.as_ref().map(|key| self.key(key)),
            timeout: self.seconds(&model.timeout),
            between: self.seconds(&model.between),
            retries: model.retries,
            secret: model.secret,
            sorry: self.say(model.sorry.as_ref()),
            next: self.node(&model.next),
            on_timeout: self.node_or_otherwise(model.on_timeout.as_ref()),
            on_invalid: self.node_or_otherwise(model.on_invalid.as_ref()),
        })
    }

    fn branch(&mut self, cases: &[Spanned<CaseModel>]) -> Step {
        let mut checked = Vec::new();
        let mut decided = false;
        for case in cases {
            let condition = self.condition(case.get_ref());
            if decided {
                let suggestion = "move the case without conditions to the end";
                self.problem(case.span(), "this case is never tried", Some(suggestion));
            }
            decided |= condition.always();
            checked.push((condition, self.node(&case.get_ref().goto)));
        }
        Step::Branch(checked, self.otherwise)
    }

    fn condition(&mut self, case: &CaseModel) -> Condition {
        let hours = case.hours.as_ref().and_then(|name| {
            let hours = self.hours.get(name.get_ref().as_str()).cloned();
            if hours.is_none() && !self.model.hours.contains_key(name.get_ref()) {
                let known = self.model.hours.keys().map(String::as_str);
                let suggestion = super::did_you_mean(name.get_ref(), known);
                let message = format!("there are no hours \"{}\"", name.get_ref());
                self.report.add(name.span(), message, suggestion);
            }
            hours
        });
        let often = case.often.map(|often| {
            if !(2..=50).contains(&often.calls) || !(1..=3600).contains(&often.within) {
                let place = case.goto.span();
                self.report.add(
                    place,
                    "often is 2 to 50 calls within 1 to 3600 seconds".to_owned(),
                    None,
                );
            }
            (often.calls.into(), Duration::from_secs(often.within.into()))
        });
        Condition {
            caller: case.caller.as_ref().map(OneOrMany::patterns),
            number: case.number.as_ref().map(OneOrMany::patterns),
            anonymous: case.anonymous,
            often,
            language: case.language.clone(),
            hours,
            present: case.present.as_ref().map(|who| self.contact_name(who)),
        }
    }

    fn transfer(&mut self, model: &TransferModel) -> Step {
        Step::Transfer {
            to: self.contact_name(&model.to),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    fn invite(&mut self, model: &InviteModel) -> Step {
        Step::Invite {
            who: self.contact_name(&model.who),
            next: self.node(&model.next),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    fn record(&mut self, model: &RecordModel) -> Step {
        Step::Record {
            most: self.seconds(&model.seconds),
            next: self.node(&model.next),
        }
    }

    fn stream(&mut self, spanned: &Spanned<StreamModel>) -> Step {
        let model = spanned.get_ref();
        if self.model.media == Hosting::Service {
            let suggestion = "remove media = \"service\"";
            self.problem(
                spanned.span(),
                "a voice agent needs the call's audio, which Graph keeps",
                Some(suggestion),
            );
        }
        let keys = model.keys.iter();
        let keys = keys.map(|(key, to)| (self.key(key), self.node(to)));
        Step::Stream(Stream {
            keys: keys.collect(),
            to: model.to.get_ref().clone(),
            next: self.node_or_otherwise(model.next.as_ref()),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        })
    }

    fn webhook(&mut self, model: &WebhookModel) -> Step {
        if !is_safe_url(model.url.get_ref()) {
            let suggestion = "use https://, or http:// on this machine";
            self.problem(
                model.url.span(),
                "the web hook's address can't be used",
                Some(suggestion),
            );
        }
        Step::Webhook(Webhook {
            url: model.url.get_ref().clone(),
            timeout: self.seconds(&model.timeout),
            results: self.nodes(&model.results),
            next: self.node_or_otherwise(model.next.as_ref()),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        })
    }

    fn seconds(&mut self, seconds: &Spanned<f64>) -> Duration {
        if (0.1..=600.0).contains(seconds.get_ref()) {
            return Duration::from_secs_f64(*seconds.get_ref());
        }
        self.problem(seconds.span(), "a wait is from 0.1 to 600 seconds", None);
        Duration::from_secs(10)
    }
}

/// Collected keys may be in the request, so it crosses no network in the clear.
fn is_safe_url(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else {
        return false;
    };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && local))
}
