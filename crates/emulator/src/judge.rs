//! Watches bots and notes what the real service would punish, or what a caller would
//! suffer from. Without IO; it knows operations, states and times, nothing of media.

use std::collections::{BTreeMap, VecDeque};
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
/// keepAlive is advised this often; twice that is close to the end.
const KEEP_ALIVE: Duration = Duration::from_secs(30 * 60);

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
    /// A call went long without keepAlive.
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
    ended: VecDeque<String>,
    throttled: BTreeMap<(String, String), Instant>,
    verdicts: VecDeque<Verdict>,
    /// How many there were, with those that gave way.
    found: usize,
}

#[derive(Debug)]
struct Watched {
    begun: Instant,
    alive: Instant,
    answered: bool,
    established: bool,
    warned: bool,
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

    /// A notification of a call's state was sent.
    pub(crate) fn notified(&mut self, call: &str, state: &str, now: Instant) {
        if state == "terminated" {
            self.over(call, now);
            if self.ended.len() == MAX_ENDED {
                self.ended.pop_front();
            }
            self.ended.push_back(call.to_owned());
            return;
        }
        let watched = self.calls.entry(call.to_owned()).or_insert(Watched {
            begun: now,
            alive: now,
            answered: false,
            established: false,
            warned: false,
        });
        watched.answered |= state != "incoming";
        if state == "established" && !watched.established {
            watched.established = true;
            watched.alive = now;
        }
    }

    fn over(&mut self, call: &str, now: Instant) {
        let Some(watched) = self.calls.remove(call) else {
            return;
        };
        let since = |then| now.saturating_duration_since(then);
        if !watched.answered && since(watched.begun) >= ANSWER_LIMIT {
            let detail = "the call was not answered, rejected or redirected within 15 s";
            self.find(Offence::LateAnswer, call, detail.to_owned());
        }
        if watched.established && since(watched.alive) >= KEEP_ALIVE_LIMIT {
            let detail = "the call was neither kept alive nor deleted within 45 minutes";
            self.find(Offence::NeverDeleted, call, detail.to_owned());
        }
    }

    /// Everyone but bots is gone: what they still have they will never delete.
    pub(crate) fn deserted(&mut self) {
        for call in std::mem::take(&mut self.calls).into_keys() {
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
                let detail = "the webhook answered 302: a new call alone goes elsewhere, twice at most, to allowed origins";
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
        if !harmless && self.ended.iter().any(|ended| ended == call) {
            let detail = format!("{operation} on a call that is over");
            self.find(Offence::AfterTheEnd, call, detail);
        }
        if let Some(watched) = self.calls.get_mut(call)
            && operation == "keepAlive"
        {
            watched.alive = now;
            watched.warned = false;
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

    /// Looks for what did not happen.
    pub(crate) fn look(&mut self, now: Instant) {
        let forgotten: Vec<_> = self
            .calls
            .iter_mut()
            .filter(|(_, call)| call.established && !call.warned)
            .filter(|(_, call)| now.saturating_duration_since(call.alive) > KEEP_ALIVE)
            .map(|(id, call)| {
                call.warned = true;
                id.clone()
            })
            .collect();
        for call in forgotten {
            let detail = "no keepAlive for 30 minutes; the call ends after 45".to_owned();
            self.find(Offence::MissingKeepAlive, &call, detail);
        }
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
            judge.look(now + SECOND);
        }
        judge.received("c", 10_000, 90);
        judge.received("c", 10, 9);
        judge.stalled("c", 10_000, 3_900);
        judge.stalled("c", 100, 900);
        judge.asked("app", "delete", "c", start);
        judge.notified("c", "terminated", start);
        for harmless in ["get", "operations", "participants", "delete"] {
            judge.asked("app", harmless, "c", start);
        }
        assert_eq!(rules(&judge), []);
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
        judge.look(start + 31 * 60 * SECOND);
        judge.look(start + 32 * 60 * SECOND);
        judge.notified("d", "terminated", start);
        judge.asked("app", "playPrompt", "d", start);
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
                Offence::MissingKeepAlive,
                Offence::AfterTheEnd,
                Offence::NeverDeleted,
                Offence::NeverDeleted,
                Offence::MediaGap,
                Offence::MediaGap,
                Offence::LegacyTaken,
            ]
        );
    }
}
