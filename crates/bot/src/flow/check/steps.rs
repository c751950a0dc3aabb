//! What a node does, checked.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use super::Check;
use crate::flow::model::{
    CaseModel, CollectModel, Hosting, ListenModel, Name, NodeModel, OneOrMany, RecordModel,
    Refusal, RejectModel, StreamModel, TransferModel, WebhookModel,
};
use crate::flow::plan::{
    Collect, Condition, Keep, Listen, NodeId, Response, Step, Stream, Webhook,
};

/// The keys of a telephone (ITU-T Q.23).
const KEYS: &str = "0123456789*#ABCD";
/// What Graph records at once (call: recordResponse).
const LONGEST_KEPT: Duration = Duration::from_secs(120);
/// The longest choice in words.
const LONGEST_CHOICE: Duration = Duration::from_secs(30);
/// How long a caller may think before a recorded response.
const BEFORE_A_RESPONSE: Duration = Duration::from_secs(10);
/// A pause that ends one.
const PAUSE: Duration = Duration::from_secs(2);

impl Check<'_> {
    pub(super) fn step(&mut self, name: &str, node: &Spanned<NodeModel>) -> Step {
        let model = node.get_ref();
        let mut steps = self.steps(model);
        let suggestion = "give it one of next, listen, collect, branch, transfer, redirect, reject, invite, \
                          open, summon, join, attend, mute, hold, resume, record, play_back, \
                          deliver, stream, webhook, hang_up";
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
        steps.extend(
            model
                .redirect
                .as_ref()
                .map(|to| Step::Redirect { to: self.taker(to) }),
        );
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
        self.kept_steps(model, &mut steps);
        self.room_steps(model, &mut steps);
        steps.extend(model.stream.as_ref().map(|stream| self.stream(stream)));
        steps.extend(
            model
                .webhook
                .as_ref()
                .map(|webhook| Step::Webhook(self.webhook(webhook.get_ref()))),
        );
        steps.extend((model.hang_up == Some(true)).then_some(Step::HangUp));
        steps
    }

    fn kept_steps(&mut self, model: &NodeModel, steps: &mut Vec<Step>) {
        let record = model.record.as_ref();
        steps.extend(record.map(|record| self.record(record)));
        let play_back = model.play_back.as_ref().map(Spanned::get_ref);
        steps.extend(play_back.map(|played| Step::PlayBack {
            next: self.node(&played.next),
        }));
        let deliver = model.deliver.as_ref().map(Spanned::get_ref);
        steps.extend(deliver.map(|deliver| Step::Deliver(self.webhook(deliver))));
    }

    fn room_steps(&mut self, model: &NodeModel, steps: &mut Vec<Step>) {
        let open = model.open.as_ref().map(Spanned::get_ref);
        steps.extend(open.map(|open| self.open(open)));
        let summon = model.summon.as_ref().map(Spanned::get_ref);
        steps.extend(summon.map(|summon| self.summon(summon)));
        let join = model.join.as_ref().map(Spanned::get_ref);
        steps.extend(join.map(|join| Step::Join {
            failed: self.node_or_otherwise(join.on_failed.as_ref()),
        }));
        let attend = model.attend.as_ref().map(Spanned::get_ref);
        steps.extend(attend.map(|attend| self.attend(attend)));
        let mute = model.mute.as_ref().map(Spanned::get_ref);
        steps.extend(mute.map(|mute| self.mute(mute)));
        let hold = model.hold.as_ref().map(Spanned::get_ref);
        steps.extend(hold.map(|hold| self.hold(hold)));
        let resume = model.resume.as_ref().map(Spanned::get_ref);
        steps.extend(resume.map(|resume| self.resume(resume)));
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
            response: None,
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
        let pause = self.seconds(&model.pause);
        if self.model.media == Hosting::Service
            && (listen.needs_engine() || listen.sentiment.is_some())
        {
            listen.response = Some(Response {
                initial: listen.timeout,
                pause,
                most: LONGEST_CHOICE,
                beep: model.beep,
                keys: listen.keys.keys().collect(),
                keys_choose: true,
            });
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
        let hours = case.hours.as_ref();
        let hours = hours.and_then(|name| self.named_hours(name));
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
            called: case.called.as_ref().map(OneOrMany::patterns),
            anonymous: case.anonymous,
            often,
            language: case.language.clone(),
            hours,
            present: case.present.as_ref().map(|who| self.taker(who)),
            people: case.people.map(usize::from),
        }
    }

    fn transfer(&mut self, model: &TransferModel) -> Step {
        Step::Transfer {
            to: self.taker(&model.to),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
    }

    fn record(&mut self, spanned: &Spanned<RecordModel>) -> Step {
        let model = spanned.get_ref();
        let (most, next) = (self.seconds(&model.seconds), self.node(&model.next));
        if !model.keep {
            if model.stop.is_some() || model.on_empty.is_some() {
                let message = "stop and on_empty are for what is kept";
                self.problem(spanned.span(), message, Some("add keep = true"));
            }
            let response = Response {
                initial: BEFORE_A_RESPONSE,
                pause: PAUSE,
                most,
                beep: true,
                keys: "#".to_owned(),
                keys_choose: false,
            };
            let own = self.model.media != Hosting::Service;
            return Step::Record {
                response,
                own,
                next,
            };
        }
        if most > LONGEST_KEPT {
            let message = "at most 120 seconds are kept";
            self.problem(model.seconds.span(), message, None);
        }
        Step::Keep {
            keep: Keep {
                most,
                pause: self.seconds(&model.pause),
                stop: model.stop.as_ref().map(|key| self.key(key)),
            },
            next,
            empty: self.node_or_otherwise(model.on_empty.as_ref()),
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

    fn webhook(&mut self, model: &WebhookModel) -> Webhook {
        if !is_safe_url(model.url.get_ref()) {
            let suggestion = "use https://, or http:// on this machine";
            self.problem(
                model.url.span(),
                "the web hook's address can't be used",
                Some(suggestion),
            );
        }
        Webhook {
            url: model.url.get_ref().clone(),
            timeout: self.seconds(&model.timeout),
            results: self.nodes(&model.results),
            next: self.node_or_otherwise(model.next.as_ref()),
            failed: self.node_or_otherwise(model.on_failed.as_ref()),
        }
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
