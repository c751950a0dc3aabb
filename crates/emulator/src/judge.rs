//! Watches bots and notes what the real service would punish, or what a caller would
//! suffer from. Without IO; it knows operations, states and times, nothing of media.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cloud::{ANSWER_LIMIT, KEEP_ALIVE_LIMIT};

/// Verdicts that are kept: the latest.
const MAX_VERDICTS: usize = 1000;
/// Calls that are over and still known, for operations that come too late.
const MAX_ENDED: usize = 1000;
/// A webhook should be quicker than this.
const SLOW_WEBHOOK: Duration = Duration::from_secs(1);
/// A phone may miss this part of the packets, and this many in any case.
const MAX_GAPS: f64 = 0.01;
const MIN_GAPS: u64 = 10;
/// Packets may be late for this part of what it received, and so long in any case.
const MAX_STALLS: f64 = 0.02;
const MIN_STALLS_MS: u64 = 1000;
/// Audio of a packet, as all send it.
const PACKET_MS: u64 = 20;
/// What a bot asks that soon after it was told of an end, or learns that late of a call, was
/// on its way.
const GRACE: Duration = Duration::from_secs(1);

/// One thing a bot did wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// Which rule was broken.
    pub(crate) rule: Offence,
    /// In which call; empty if in none.
    pub(crate) call: String,
    /// What happened.
    pub(crate) detail: String,
}

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Offence {
    /// A call was not answered, rejected or redirected in time.
    LateAnswer,
    /// A throttled request came again before `Retry-After`.
    EarlyRetry,
    /// A call ended for want of a keepAlive.
    MissingKeepAlive,
    /// The webhook took more than a second.
    SlowWebhook,
    /// The webhook refused a notification.
    WebhookRefused,
    /// The webhook took a notification in the former format for one in Graph's.
    LegacyTaken,
    /// An operation that would change a call that is over.
    AfterTheEnd,
    /// A call that the bot left to itself: it neither kept it alive nor deleted it.
    NeverDeleted,
    /// The far end's audio had gaps.
    MediaGap,
    /// The webhook took a notification that was forged, or whose token had expired.
    ForgeryTaken,
    /// A scenario's fault never came about: what it was to show is not shown.
    FaultUnused,
}

impl Offence {
    /// All rules by their names in JSON.
    pub(crate) const NAMED: [(&'static str, Self); 11] = [
        ("lateAnswer", Self::LateAnswer),
        ("earlyRetry", Self::EarlyRetry),
        ("missingKeepAlive", Self::MissingKeepAlive),
        ("slowWebhook", Self::SlowWebhook),
        ("webhookRefused", Self::WebhookRefused),
        ("legacyTaken", Self::LegacyTaken),
        ("afterTheEnd", Self::AfterTheEnd),
        ("neverDeleted", Self::NeverDeleted),
        ("mediaGap", Self::MediaGap),
        ("forgeryTaken", Self::ForgeryTaken),
        ("faultUnused", Self::FaultUnused),
    ];

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        let named = Self::NAMED.iter().find(|(_, rule)| *rule == self);
        named.map_or("", |(name, _)| name)
    }
}

/// What it knows, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    calls: BTreeMap<String, Watched>,
    ended: VecDeque<Ended>,
    throttled: BTreeMap<(String, String), Instant>,
    verdicts: VecDeque<Verdict>,
    /// How many there were, with those that gave way.
    found: usize,
}

#[derive(Debug)]
struct Watched {
    begun: Instant,
    /// The latest keepAlive, or the beginning: Graph counts from there.
    alive: Instant,
    /// Since when the bot could know of it; `None` while a fault keeps that from it.
    known: Option<Instant>,
    /// Kinds of notifications of which a fault kept the latest from the bot.
    unheard: BTreeSet<String>,
    answered: bool,
    established: bool,
}

impl Watched {
    fn new(now: Instant) -> Self {
        Self {
            begun: now,
            alive: now,
            known: Some(now),
            unheard: BTreeSet::new(),
            answered: false,
            established: false,
        }
    }

    /// Whether the bot had the time to answer, and did not.
    fn is_late(&self, now: Instant) -> bool {
        let since = |then| now.saturating_duration_since(then);
        let had_time = |known| since(known) + GRACE >= ANSWER_LIMIT;
        !self.answered && since(self.begun) >= ANSWER_LIMIT && self.known.is_some_and(had_time)
    }

    /// Whether the bot can know of the call and of who has left it.
    fn is_informed(&self) -> bool {
        self.known.is_some() && !self.unheard.contains("roster")
    }
}

/// A call that is over.
#[derive(Debug)]
struct Ended {
    call: String,
    /// When the bot's webhook took the notification of it.
    told: Option<Instant>,
}

impl Judge {
    /// How many verdicts there were so far.
    pub(crate) fn found(&self) -> usize {
        self.found
    }

    /// The verdicts after so many, as far as they are kept.
    pub(crate) fn since(&self, found: usize) -> impl Iterator<Item = &Verdict> {
        let gone = self.found - self.verdicts.len();
        self.verdicts.iter().skip(found.saturating_sub(gone))
    }

    /// A notification of a call is about to be sent.
    pub(crate) fn notified(&mut self, call: &str, kind: &str, now: Instant) {
        if kind == "terminated" {
            self.over(call, now);
            if self.ended.len() == MAX_ENDED {
                self.ended.pop_front();
            }
            let call = call.to_owned();
            self.ended.push_back(Ended { call, told: None });
            return;
        }
        let new = || Watched::new(now);
        let watched = self.calls.entry(call.to_owned()).or_insert_with(new);
        watched.answered |= kind != "incoming";
        watched.established |= kind == "established";
    }

    /// A fault keeps such a notification from the bot, perhaps only for now.
    pub(crate) fn spoilt(&mut self, call: &str, kind: &str) {
        let Some(watched) = self.calls.get_mut(call) else {
            return;
        };
        watched.unheard.insert(kind.to_owned());
        if kind == "incoming" {
            watched.known = None;
        }
    }

    /// The bot's webhook took such a notification, as it should be.
    pub(crate) fn told(&mut self, call: &str, kind: &str, now: Instant) {
        if kind == "terminated" {
            let ended = self.ended.iter_mut().rfind(|ended| ended.call == call);
            if let Some(ended) = ended {
                ended.told.get_or_insert(now);
            }
        }
        if let Some(watched) = self.calls.get_mut(call) {
            watched.unheard.remove(kind);
            if kind == "incoming" {
                watched.known.get_or_insert(now);
            }
        }
    }

    fn over(&mut self, call: &str, now: Instant) {
        let Some(watched) = self.calls.remove(call) else {
            return;
        };
        if watched.is_late(now) {
            let detail = "the call was not answered, rejected or redirected within 15 s";
            self.find(Offence::LateAnswer, call, detail.to_owned());
        }
        let neglected = now.saturating_duration_since(watched.alive);
        if watched.established && neglected + GRACE >= KEEP_ALIVE_LIMIT {
            let detail = "no keepAlive was granted for 45 minutes, so the call was ended";
            self.find(Offence::MissingKeepAlive, call, detail.to_owned());
            let detail = "the call was neither kept alive nor deleted within 45 minutes";
            self.find(Offence::NeverDeleted, call, detail.to_owned());
        }
    }

    /// Everyone but bots is gone: what they still have they will never delete.
    pub(crate) fn deserted(&mut self) {
        let calls = std::mem::take(&mut self.calls).into_iter();
        for (call, _) in calls.filter(|(_, watched)| watched.is_informed()) {
            let detail = "the bot stayed in the call when everyone had left";
            self.find(Offence::NeverDeleted, &call, detail.to_owned());
        }
    }

    /// What a phone received in a call of an undisturbed network.
    pub(crate) fn received(&mut self, call: &str, received: u64, lost: u64) {
        if lost >= MIN_GAPS && lost as f64 > MAX_GAPS * (received + lost) as f64 {
            let all = received + lost;
            let detail = format!("{lost} of {all} packets of the far end's audio never came");
            self.find(Offence::MediaGap, call, detail);
        }
    }

    /// How long in such a call the far end's audio did not come, to come then all at once.
    pub(crate) fn stalled(&mut self, call: &str, received: u64, stalled_ms: u64) {
        let heard_ms = received * PACKET_MS;
        if stalled_ms >= MIN_STALLS_MS && stalled_ms as f64 > MAX_STALLS * heard_ms as f64 {
            let detail = format!(
                "the far end's audio stalled for {stalled_ms} ms of {heard_ms}: it is sent unevenly"
            );
            self.find(Offence::MediaGap, call, detail);
        }
    }

    /// The webhook took a notification, or not, or could not be reached, for a reason.
    pub(crate) fn webhook(&mut self, call: &str, answer: Result<u16, &str>, took: Duration) {
        match answer {
            Ok(status) if (200..300).contains(&status) => {}
            Ok(302) => {
                let detail = "the webhook answered 302: a new call alone goes elsewhere, twice at most, to the webhook's origin and those of --allow-origin";
                self.find(Offence::WebhookRefused, call, detail.to_owned());
            }
            Ok(status) => {
                let detail = format!("the webhook answered {status}");
                self.find(Offence::WebhookRefused, call, detail);
            }
            Err(why) => {
                let detail = format!("the webhook gave no answer: {why}");
                self.find(Offence::WebhookRefused, call, detail);
            }
        }
        self.webhook_took(call, took);
    }

    /// The webhook answered, well or not.
    pub(crate) fn webhook_took(&mut self, call: &str, took: Duration) {
        if took > SLOW_WEBHOOK {
            let detail = format!("the webhook took {} ms", took.as_millis());
            self.find(Offence::SlowWebhook, call, detail);
        }
    }

    /// The webhook took what it should have answered with 204, to get it in Graph's format.
    pub(crate) fn legacy_taken(&mut self, call: &str, status: u16) {
        let detail = format!("the webhook answered {status}, not 204, to the former format");
        self.find(Offence::LegacyTaken, call, detail);
    }

    /// The webhook took what nobody but the emulator can have sent in earnest.
    pub(crate) fn forgery_taken(&mut self, call: &str, how: &str) {
        let detail = format!("the webhook took a notification {how}");
        self.find(Offence::ForgeryTaken, call, detail);
    }

    /// A request came in and was, or will be, answered.
    pub(crate) fn asked(&mut self, app: &str, operation: &str, call: &str, now: Instant) {
        let key = (app.to_owned(), format!("{operation} {call}"));
        if let Some(until) = self.throttled.get(&key).copied()
            && now < until
        {
            let early = (until - now).as_millis();
            let detail = format!("{operation} came {early} ms before Retry-After allowed it");
            self.find(Offence::EarlyRetry, call, detail);
        }
        let harmless = matches!(operation, "get" | "operations" | "participants" | "delete");
        if !harmless && self.knows_of_the_end(call, now) {
            let detail = format!("{operation} on a call that is over");
            self.find(Offence::AfterTheEnd, call, detail);
        }
    }

    fn knows_of_the_end(&self, call: &str, now: Instant) -> bool {
        let ended = self.ended.iter().rfind(|ended| ended.call == call);
        let told = ended.and_then(|ended| ended.told);
        told.is_some_and(|told| now.saturating_duration_since(told) > GRACE)
    }

    /// What was asked at that time was answered with success.
    pub(crate) fn succeeded(&mut self, operation: &str, call: &str, asked: Instant) {
        if operation != "keepAlive" {
            return;
        }
        if let Some(watched) = self.calls.get_mut(call) {
            watched.alive = asked;
        }
    }

    /// A request was throttled.
    pub(crate) fn throttled(
        &mut self,
        app: &str,
        (operation, call): (&str, &str),
        now: Instant,
        wait: Duration,
    ) {
        self.throttled.retain(|_, until| now < *until);
        let key = (app.to_owned(), format!("{operation} {call}"));
        self.throttled.insert(key, now + wait);
    }

    fn find(&mut self, rule: Offence, call: &str, detail: String) {
        if self.verdicts.len() == MAX_VERDICTS {
            self.verdicts.pop_front();
        }
        let call = call.to_owned();
        self.verdicts.push_back(Verdict { rule, call, detail });
        self.found += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rules(judge: &Judge) -> Vec<Offence> {
        judge.since(0).map(|verdict| verdict.rule).collect()
    }

    #[test]
    fn a_good_bot_is_left_in_peace() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.notified("c", "incoming", start);
        judge.webhook("c", Ok(202), SECOND / 2);
        judge.asked("app", "answer", "c", start + SECOND);
        judge.notified("c", "established", start + SECOND);
        for quarter in 1..8 {
            let now = start + 15 * 60 * SECOND * quarter;
            judge.asked("app", "keepAlive", "c", now);
            judge.succeeded("keepAlive", "c", now);
        }
        judge.received("c", 10_000, 90);
        judge.received("c", 10, 9);
        judge.stalled("c", 10_000, 3_900);
        judge.stalled("c", 100, 900);
        judge.asked("app", "delete", "c", start);
        judge.notified("c", "terminated", start);
        judge.told("c", "terminated", start);
        let start = start + 2 * SECOND;
        for harmless in ["get", "operations", "participants", "delete"] {
            judge.asked("app", harmless, "c", start);
        }
        assert_eq!(rules(&judge), []);
    }

    #[test]
    fn what_crosses_the_news_of_the_end_was_asked_in_good_faith() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.notified("c", "established", start);
        judge.notified("c", "terminated", start);
        // The webhook has not yet taken it, then only just.
        judge.asked("app", "playPrompt", "c", start + SECOND * 9);
        judge.told("c", "terminated", start + SECOND * 9);
        judge.asked("app", "playPrompt", "c", start + SECOND * 10);
        assert_eq!(rules(&judge), []);
        // A second copy is no second news.
        judge.told("c", "terminated", start + SECOND * 11);
        judge.asked("app", "playPrompt", "c", start + SECOND * 11);
        assert_eq!(rules(&judge), [Offence::AfterTheEnd]);
    }

    #[test]
    fn what_a_fault_kept_from_a_bot_is_held_against_nobody() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        for call in ["lost", "late", "unasked"] {
            judge.notified(call, "incoming", start);
            judge.spoilt(call, "incoming");
        }
        judge.told("late", "incoming", start + SECOND * 5);
        for call in ["lost", "late"] {
            judge.notified(call, "terminated", start + ANSWER_LIMIT);
            judge.spoilt(call, "terminated");
            judge.asked("app", "answer", call, start + SECOND * 30);
        }
        // Who has left this one it was not told; of the other it never heard.
        judge.notified("roster", "established", start);
        judge.notified("roster", "roster", start);
        judge.spoilt("roster", "roster");
        judge.deserted();
        assert_eq!(rules(&judge), []);
        // It had nearly all of the time, or was told again.
        judge.notified("soon", "incoming", start);
        judge.spoilt("soon", "incoming");
        judge.told("soon", "incoming", start + SECOND / 2);
        judge.notified("soon", "terminated", start + ANSWER_LIMIT);
        judge.notified("roster", "roster", start);
        judge.spoilt("roster", "roster");
        judge.told("roster", "roster", start);
        judge.deserted();
        let expected = [Offence::LateAnswer, Offence::NeverDeleted];
        assert_eq!(rules(&judge), expected);
    }

    #[test]
    fn a_keep_alive_that_is_refused_keeps_nothing_alive() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.notified("c", "establishing", start);
        judge.notified("c", "established", start + SECOND * 10);
        for quarter in 1..3 {
            let now = start + 15 * 60 * SECOND * quarter;
            judge.asked("app", "keepAlive", "c", now);
        }
        judge.notified("c", "terminated", start + KEEP_ALIVE_LIMIT);
        let expected = [Offence::MissingKeepAlive, Offence::NeverDeleted];
        assert_eq!(rules(&judge), expected);
    }

    #[test]
    fn what_comes_after_many_verdicts_is_seen() {
        let mut judge = Judge::default();
        for _ in 0..=MAX_VERDICTS {
            judge.webhook("a", Ok(500), SECOND);
        }
        let before = judge.found();
        assert_eq!(judge.since(0).count(), MAX_VERDICTS);
        assert_eq!(judge.since(before).count(), 0);
        judge.webhook("b", Err("refused"), SECOND);
        let calls: Vec<_> = judge.since(before).map(|verdict| &verdict.call).collect();
        assert_eq!(calls, ["b"]);
        assert_eq!(judge.since(0).count(), MAX_VERDICTS);
    }

    #[test]
    fn each_offence_is_found() {
        let (mut judge, start) = (Judge::default(), Instant::now());
        judge.notified("a", "incoming", start);
        judge.notified("a", "terminated", start + ANSWER_LIMIT);
        judge.webhook("b", Ok(500), SECOND);
        judge.webhook("b", Ok(202), SECOND * 2);
        judge.webhook("b", Err("refused"), SECOND);
        judge.throttled("app", ("transfer", "c"), start, SECOND * 5);
        judge.asked("app", "transfer", "c", start + SECOND * 2);
        judge.asked("app", "reject", "c", start + SECOND * 3);
        judge.asked("app", "transfer", "c", start + SECOND * 4);
        judge.asked("app", "transfer", "c", start + SECOND * 5);
        judge.notified("d", "established", start);
        judge.notified("d", "terminated", start);
        judge.told("d", "terminated", start);
        judge.asked("app", "playPrompt", "d", start + SECOND * 2);
        judge.notified("e", "established", start);
        judge.notified("e", "terminated", start + KEEP_ALIVE_LIMIT);
        judge.notified("f", "established", start);
        judge.deserted();
        judge.deserted();
        judge.received("g", 1_000, 20);
        judge.stalled("g", 1_000, 1_000);
        judge.legacy_taken("h", 202);
        assert_eq!(
            rules(&judge),
            [
                Offence::LateAnswer,
                Offence::WebhookRefused,
                Offence::SlowWebhook,
                Offence::WebhookRefused,
                Offence::EarlyRetry,
                Offence::EarlyRetry,
                Offence::AfterTheEnd,
                Offence::MissingKeepAlive,
                Offence::NeverDeleted,
                Offence::NeverDeleted,
                Offence::MediaGap,
                Offence::MediaGap,
                Offence::LegacyTaken,
            ]
        );
    }
}
