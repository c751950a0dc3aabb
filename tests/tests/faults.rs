//! One fault at a time, in whole lives of bot and emulator on virtual time: what
//! `tests/simulation.rs` mixes at random, each with the outcome that is required of it.

use std::time::Duration;

use serde_json::{Value, json};
use switchboard_tests::Failure;
use switchboard_tests::simulation::{Act, CallerPlan, Outcome, Plan, Span, Stage};

/// The bot asks for all of these in a call of [`caller`].
const ASKED: [&str; 4] = ["answer", "subscribeToTone", "playPrompt", "transfer"];

/// Dials at second `at`, presses `keys` every five seconds, hangs up at last.
fn caller(at: u64, keys: &str) -> CallerPlan {
    let pause = Duration::from_secs(5);
    let keys = keys.chars().map(|key| (pause, Act::Press(key)));
    CallerPlan {
        at: Duration::from_secs(at),
        acts: keys.chain([(pause, Act::HangUp)]).collect(),
        patience: Duration::from_secs(120),
    }
}

/// Plays it; nothing that must never happen may have happened.
fn play(plan: Plan) -> Result<Outcome, Failure> {
    let outcome = Stage::build()?.play(plan)?;
    match outcome.wrongs.is_empty() {
        true => Ok(outcome),
        false => Err(format!("{}\n{}", outcome.wrongs.join("; "), outcome.log).into()),
    }
}

/// So many calls came about and are over, none of them by a failure of the service's.
fn all_served(outcome: &Outcome, calls: u64) {
    for what in ["call", "established", "ended", "ended with 0"] {
        assert_eq!(outcome.tally.of(what), calls, "{what}:\n{}", outcome.log);
    }
}

fn rule(operation: &str, times: u64, fault: &Value) -> Value {
    json!({"operation": operation, "times": times, "fault": fault})
}

#[test]
fn a_plan_without_faults_is_a_call_like_any_other() -> Result<(), Failure> {
    let outcome = play(Plan::calm(vec![caller(1, "1142"), caller(3, "13")]))?;
    all_served(&outcome, 2);
    for operation in ASKED {
        let done = outcome.log.contains(&format!(" {operation} "));
        assert!(done, "{operation} was not asked for:\n{}", outcome.log);
    }
    Ok(())
}

/// The second the last of it was over.
fn quiet_at(outcome: &Outcome) -> u64 {
    let line = outcome.log.lines().find(|line| line.ends_with(" quiet"));
    let ms = line.and_then(|line| line.split_whitespace().next());
    ms.and_then(|ms| ms.parse().ok())
        .map_or(u64::MAX, |ms: u64| ms / 1000)
}

#[test]
fn bursts_of_server_errors_are_outlasted() -> Result<(), Failure> {
    for status in [500_u16, 502, 503, 504] {
        let mut caller = caller(1, "1");
        caller.acts.pop();
        caller.patience = Duration::from_secs(300);
        let mut plan = Plan::calm(vec![caller]);
        let fault = json!({"kind": "status", "status": status});
        plan.faults = ASKED.map(|asked| rule(asked, 2, &fault)).to_vec();
        let outcome = play(plan)?;
        all_served(&outcome, 1);
        for asked in ["answer", "playPrompt"] {
            assert_eq!(
                outcome.tally.of(&format!("{asked} {status}")),
                2,
                "{}",
                outcome.log
            );
        }
        // The caller, who only waits, is spoken to in the end, and let go of.
        assert!(outcome.tally.of("playPrompt 200") > 0, "{}", outcome.log);
        assert!(quiet_at(&outcome) < 120, "{}", outcome.log);
    }
    Ok(())
}

/// That nothing is asked again earlier than Graph said is the emulator's to judge: it would be
/// one of the wrongs.
#[test]
fn throttled_requests_are_asked_again_when_graph_allows() -> Result<(), Failure> {
    let told = json!({"kind": "status", "status": 429, "retryAfter": 4});
    for fault in [told, json!({"kind": "status", "status": 429})] {
        let mut caller = caller(1, "");
        caller.acts[0].0 = Duration::from_secs(30);
        let mut plan = Plan::calm(vec![caller]);
        let throttled = ["answer", "subscribeToTone", "playPrompt"];
        plan.faults = throttled.map(|asked| rule(asked, 1, &fault)).to_vec();
        let outcome = play(plan)?;
        all_served(&outcome, 1);
        for (asked, taken) in throttled.into_iter().zip([202, 200, 200]) {
            let refused = outcome.tally.of(&format!("{asked} 429"));
            let taken = outcome.tally.of(&format!("{asked} {taken}"));
            assert!(
                refused == 1 && taken > 0,
                "{asked} {refused} {taken}\n{}",
                outcome.log
            );
        }
    }
    Ok(())
}

/// Milliseconds from the first time that a request was answered with one status to the first
/// time that it was with another.
fn between(outcome: &Outcome, operation: &str, statuses: [u16; 2]) -> Option<u64> {
    let [first, then] = statuses.map(|status| {
        let operation = format!(" {operation} ");
        let answered = format!(": {status}");
        let mut lines = outcome.log.lines();
        let line = lines.find(|line| line.contains(&operation) && line.ends_with(&answered))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    then?.checked_sub(first?)
}

#[test]
fn a_prompt_that_graph_fails_to_take_is_played_within_seconds() -> Result<(), Failure> {
    let mut caller = caller(1, "");
    caller.acts.clear();
    caller.patience = Duration::from_secs(300);
    let mut plan = Plan::calm(vec![caller]);
    let fault = json!({"kind": "status", "status": 502});
    plan.faults = vec![rule("playPrompt", 2, &fault)];
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    let silent = between(&outcome, "playPrompt", [502, 200]);
    assert!(
        silent.is_some_and(|ms| ms < 5_000),
        "{silent:?}\n{}",
        outcome.log
    );
    Ok(())
}

#[test]
fn connections_that_break_after_the_deed_repeat_none() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "12")]);
    plan.faults = ASKED
        .map(|asked| rule(asked, 1, &json!({"kind": "reset"})))
        .to_vec();
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    let broken = outcome.log.matches("the connection breaks").count();
    assert_eq!(broken, ASKED.len(), "{}", outcome.log);
    for once in ["answer", "subscribeToTone", "transfer"] {
        let asked = outcome.log.matches(&format!(" {once} ")).count();
        assert_eq!(asked, 1, "{once}: {}", outcome.log);
    }
    Ok(())
}

#[test]
fn a_token_that_expires_in_a_call_is_replaced_once() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "111")]);
    let expired = json!({"kind": "status", "status": 401});
    plan.faults = vec![json!({"operation": "playPrompt", "nth": 3, "fault": expired})];
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    assert_eq!(outcome.tally.of("playPrompt 401"), 1, "{}", outcome.log);
    assert_eq!(outcome.tally.of("token 200"), 2, "{}", outcome.log);
    // The welcome, and two prompts a key: nothing was left unsaid.
    assert_eq!(outcome.tally.of("playPrompt 200"), 7, "{}", outcome.log);
    Ok(())
}

/// Calls of ten minutes, one of which begins in the middle, and one that comes afterwards.
fn with_the_identity_service_down() -> Plan {
    let long = CallerPlan {
        patience: Duration::from_secs(1000),
        ..caller(1, &"1".repeat(130))
    };
    let mut plan = Plan::calm(vec![long, caller(300, "12"), caller(700, "12")]);
    plan.identity_down = Some(Span::seconds(10, 610));
    plan
}

#[test]
fn calls_begin_and_go_on_while_the_identity_service_is_down() -> Result<(), Failure> {
    let outcome = play(with_the_identity_service_down())?;
    all_served(&outcome, 3);
    assert_eq!(outcome.tally.of("transfer 202"), 2, "{}", outcome.log);
    Ok(())
}

#[test]
fn a_token_refused_while_the_identity_service_is_down_heals_with_it() -> Result<(), Failure> {
    let mut plan = with_the_identity_service_down();
    plan.callers.remove(1);
    let refused = json!({"kind": "status", "status": 401});
    plan.faults = vec![json!({"operation": "playPrompt", "nth": 30, "fault": refused})];
    let outcome = play(plan)?;
    all_served(&outcome, 2);
    assert!(outcome.tally.of("request refused") > 0, "{}", outcome.log);
    assert_eq!(outcome.tally.of("transfer 202"), 1, "{}", outcome.log);
    Ok(())
}

#[test]
fn a_flood_of_unknown_keys_costs_calls_nothing() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "1112")]);
    plan.strangers = 400;
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    assert_eq!(outcome.tally.of("stranger 401"), 400, "{}", outcome.log);
    assert_eq!(outcome.tally.of("keys 200"), 2, "{}", outcome.log);
    Ok(())
}

#[test]
fn keys_that_are_rolled_over_in_a_call_are_followed_at_once() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "112")]);
    plan.rolled_over = Some(Duration::from_secs(8));
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    assert!(outcome.log.contains("the keys are rolled over"));
    assert_eq!(outcome.tally.of("notification 401"), 0, "{}", outcome.log);
    assert_eq!(outcome.tally.of("keys 200"), 2, "{}", outcome.log);
    Ok(())
}

#[test]
fn notifications_of_nobodys_calls_and_unknown_things_change_nothing() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "1142"), caller(2, "13")]);
    plan.misaddressed = true;
    let outcome = play(plan)?;
    all_served(&outcome, 2);
    let told = outcome.tally.of("notification 202");
    assert_eq!(
        outcome.tally.of("misaddressed 202"),
        3 * told,
        "{}",
        outcome.log
    );
    // A call that is none is not answered a second time, whatever else comes for it.
    assert_eq!(outcome.tally.of("answer 404"), 1, "{}", outcome.log);
    Ok(())
}

/// Two keys have two prompts each beside the welcome: none was heard twice, none was lost.
fn heard_once(outcome: &Outcome) {
    all_served(outcome, 1);
    assert_eq!(outcome.tally.of("playPrompt 200"), 5, "{}", outcome.log);
}

#[test]
fn notifications_doubled_out_of_order_or_late_are_heard_once() -> Result<(), Failure> {
    let faults = [
        // What is held back comes behind the next one: nothing would come after all of them.
        (json!({"kind": "reorder"}), "notification:operation", 1, 5),
        (
            json!({"kind": "duplicate", "copies": 3}),
            "notification:*",
            1_000,
            5,
        ),
        (
            json!({"kind": "delay", "ms": 2_000}),
            "notification:*",
            1_000,
            10,
        ),
    ];
    for (fault, of, times, stays) in faults {
        let mut caller = caller(1, "11");
        caller.acts[2].0 = Duration::from_secs(stays);
        let mut plan = Plan::calm(vec![caller]);
        plan.faults = vec![rule(of, times, &fault)];
        let outcome = play(plan)?;
        let kind = fault["kind"].as_str().unwrap_or_default();
        assert!(outcome.tally.of(kind) > 0, "{kind}: {}", outcome.log);
        heard_once(&outcome);
    }
    Ok(())
}

#[test]
fn lost_notifications_are_made_up_for() -> Result<(), Failure> {
    for about in ["established", "terminated", "operation"] {
        let mut plan = Plan::calm(vec![caller(1, "1")]);
        plan.faults = vec![rule(
            &format!("notification:{about}"),
            2,
            &json!({"kind": "lose"}),
        )];
        let outcome = play(plan)?;
        all_served(&outcome, 1);
        assert!(outcome.tally.of("lose") > 0, "{about}: {}", outcome.log);
        assert!(quiet_at(&outcome) < 120, "{about}: {}", outcome.log);
    }
    Ok(())
}

#[test]
fn empty_notifications_are_made_up_for() -> Result<(), Failure> {
    for about in ["established", "terminated", "operation"] {
        let mut plan = Plan::calm(vec![caller(1, "1")]);
        let empty = json!({"kind": "empty"});
        plan.faults = vec![rule(&format!("notification:{about}"), 2, &empty)];
        let outcome = play(plan)?;
        all_served(&outcome, 1);
        assert!(outcome.tally.of("empty") > 0, "{about}: {}", outcome.log);
        assert!(quiet_at(&outcome) < 60, "{about}: {}", outcome.log);
    }
    Ok(())
}

#[test]
fn clocks_may_be_four_minutes_apart_and_not_six() -> Result<(), Failure> {
    // Notifications' tokens are good from five minutes before they were made.
    let apart = |minutes: u64| {
        let mut plan = Plan::calm(vec![caller(1, "12")]);
        plan.cloud_ahead = Duration::from_secs(60 * (5 + minutes));
        play(plan)
    };
    all_served(&apart(4)?, 1);
    let refused = apart(6)?;
    assert_eq!(refused.tally.of("established"), 0, "{}", refused.log);
    assert!(refused.tally.of("notification 401") > 0, "{}", refused.log);
    Ok(())
}

#[test]
fn a_bot_that_no_notification_reaches_finds_out_by_itself() -> Result<(), Failure> {
    let mut plan = Plan::calm(vec![caller(1, "1")]);
    plan.bot_unreachable = Some(Span::seconds(5, 3600));
    let outcome = play(plan)?;
    all_served(&outcome, 1);
    assert!(outcome.log.contains("the judge: webhookRefused"));
    // It asks after its call, and is through with it within a minute of the end.
    assert_eq!(outcome.tally.of("get 404"), 1, "{}", outcome.log);
    assert!(quiet_at(&outcome) < 11 + 60, "{}", outcome.log);
    Ok(())
}
