//! Which rules are taken, and when they strike.

use serde_json::json;

use super::*;

fn rule(json: serde_json::Value) -> Rule {
    serde_json::from_value(json).unwrap()
}

#[test]
fn a_rule_strikes_when_it_says() {
    let mut faults = Faults::new(1);
    let fault = json!({"kind": "status", "status": 429, "retryAfter": 2});
    faults
        .add(rule(
            json!({"operation": "answer", "nth": 2, "fault": fault}),
        ))
        .unwrap();
    let fault = json!({"kind": "lose"});
    faults
        .add(rule(
            json!({"operation": "notification:*", "call": "c", "times": 1, "fault": fault}),
        ))
        .unwrap();
    assert_eq!(faults.strike("answer", "c"), None);
    let throttled = Mischief::Status {
        status: 429,
        retry_after: Some(2),
    };
    assert_eq!(faults.strike("answer", "c"), Some(throttled));
    assert_eq!(faults.strike("answer", "c"), None);
    assert_eq!(faults.strike("notification:established", "other"), None);
    assert_eq!(
        faults.strike("notification:established", "c"),
        Some(Mischief::Lose)
    );
    assert_eq!(faults.strike("notification:terminated", "c"), None);
    let struck: Vec<_> = faults
        .list()
        .iter()
        .map(|listed| (listed.seen, listed.struck))
        .collect();
    assert_eq!(struck, [(3, 1), (2, 1)]);
}

#[test]
fn the_nth_time_is_counted_whatever_other_rules_do() {
    let mut faults = Faults::new(1);
    let fault = |status: u16| json!({"kind": "status", "status": status});
    let nth = |nth: u64, status| json!({"operation": "get", "nth": nth, "fault": fault(status)});
    for json in [nth(1, 429), nth(2, 503), nth(2, 500)] {
        faults.add(rule(json)).unwrap();
    }
    let mut next = || match faults.strike("get", "c") {
        Some(Mischief::Status { status, .. }) => status,
        _ => 0,
    };
    assert_eq!([next(), next(), next()], [429, 503, 0]);
    let seen: Vec<_> = faults
        .list()
        .iter()
        .map(|one| (one.seen, one.struck))
        .collect();
    assert_eq!(seen, [(3, 1), (3, 1), (3, 0)]);
}

#[test]
fn nothing_overtakes_the_end_of_a_call() {
    let mut faults = Faults::new(1);
    let all = json!({"operation": "notification:*", "fault": {"kind": "reorder"}});
    faults.add(rule(all)).unwrap();
    assert_eq!(faults.strike("notification:terminated", "c"), None);
    assert_eq!(faults.list()[0].seen, 0);
    assert!(faults.strike("notification:established", "c").is_some());
}

#[test]
fn a_rule_for_a_person_strikes_in_their_calls_alone() {
    let mut faults = Faults::new(1);
    let fault = json!({"kind": "status", "status": 503});
    let of = |person: &str| json!({"operation": "*", "person": person, "fault": fault});
    faults.add(rule(of("Ada"))).unwrap();
    faults.add(rule(of("id-2"))).unwrap();
    let people = |names: [&str; 2]| names.map(str::to_owned).into();
    faults.are_in("a", people(["Ada", "id-1"]));
    faults.are_in("b", people(["Ben", "id-2"]));
    faults.are_in("c", people(["Cleo", "id-3"]));
    faults.are_in("a", BTreeSet::new());
    let struck = ["a", "b", "c", ""].map(|call| faults.strike("answer", call).is_some());
    assert_eq!(struck, [true, true, false, false]);
    let create = json!({"operation": "create", "person": "Ada", "fault": fault});
    assert_eq!(faults.add(rule(create)), Err(RuleError::NoCall("create")));
}

#[test]
fn chance_follows_from_the_seed() {
    let run = |seed| {
        let mut faults = Faults::new(seed);
        let rule = rule(json!({"operation": "*", "probability": 0.3, "fault": {"kind": "reset"}}));
        faults.add(rule.clone()).unwrap();
        let strikes = |faults: &mut Faults| -> Vec<bool> {
            (0..1000)
                .map(|_| faults.strike("get", "").is_some())
                .collect()
        };
        let first = strikes(&mut faults);
        faults.reset();
        faults.add(rule).unwrap();
        assert_eq!(strikes(&mut faults), first, "reset goes back to the seed");
        first
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let hits = run(7).iter().filter(|hit| **hit).count();
    assert!((250..350).contains(&hits), "{hits}");
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let mut faults = Faults::new(1);
    for (json, error) in [
        (
            json!({"operation": "get", "fault": {"kind": "status", "status": 200}}),
            RuleError::Status,
        ),
        (
            json!({"operation": "get", "fault": {"kind": "delay", "ms": 120_001}}),
            RuleError::Delay,
        ),
        (
            json!({"operation": "get", "fault": {"kind": "slowBody", "ms": 120_001}}),
            RuleError::Delay,
        ),
        (
            json!({"operation": "notification:*", "fault": {"kind": "skew", "ms": i64::MIN}}),
            RuleError::Skew,
        ),
        (
            json!({"operation": "get", "fault": {"kind": "skew", "ms": 1}}),
            RuleError::NotificationOnly("skew"),
        ),
        (
            json!({"operation": "notification:*", "fault": {"kind": "timeOut"}}),
            RuleError::RequestOnly("timeOut"),
        ),
        (
            json!({"operation": "notification:*", "fault": {"kind": "legacyFirst"}}),
            RuleError::IncomingOnly("legacyFirst"),
        ),
        (
            json!({"operation": "get", "fault": {"kind": "lose"}}),
            RuleError::NotificationOnly("lose"),
        ),
        (
            json!({"operation": "notification:*", "fault": {"kind": "reset"}}),
            RuleError::RequestOnly("reset"),
        ),
        (
            json!({"operation": "notification:*", "fault": {"kind": "duplicate", "copies": 1}}),
            RuleError::Copies,
        ),
        (
            json!({"operation": "get", "probability": 2.0, "fault": {"kind": "reset"}}),
            RuleError::Probability,
        ),
        (
            json!({"operation": "get", "nth": 0, "fault": {"kind": "reset"}}),
            RuleError::Nth,
        ),
        (
            json!({"operation": "get", "times": 0, "fault": {"kind": "reset"}}),
            RuleError::Times,
        ),
        (
            json!({"operation": "get", "nth": 2, "times": 3, "fault": {"kind": "reset"}}),
            RuleError::NthAndTimes,
        ),
        (
            json!({"operation": "get", "person": "", "fault": {"kind": "reset"}}),
            RuleError::Nobody,
        ),
        (
            json!({"operation": "get", "probability": 0.0, "fault": {"kind": "reset"}}),
            RuleError::Probability,
        ),
        (
            json!({"operation": "token", "call": "c", "fault": {"kind": "reset"}}),
            RuleError::NoCall("token"),
        ),
        (
            json!({"operation": "getPresence", "person": "a", "fault": {"kind": "reset"}}),
            RuleError::NoCall("getPresence"),
        ),
        (
            json!({"operation": "notification:terminated", "fault": {"kind": "reorder"}}),
            RuleError::NothingLater,
        ),
        (
            json!({"operation": "", "fault": {"kind": "reset"}}),
            RuleError::NoOperation,
        ),
    ] {
        assert_eq!(faults.add(rule(json)), Err(error));
    }
    let misspelt = json!({"operation": "get", "fault": {"kind": "reset"}, "nht": 1});
    assert!(serde_json::from_value::<Rule>(misspelt).is_err());
    for fault in [
        json!({"kind": "timeOut", "ms": 5}),
        json!({"kind": "lose", "copies": 2}),
        json!({"kind": "delay", "ms": 5, "status": 500}),
    ] {
        let read = serde_json::from_value::<Rule>(json!({"operation": "*", "fault": fault}));
        let error = read.unwrap_err().to_string();
        assert!(error.starts_with("unknown field"), "{error}");
    }
    assert!(faults.list().is_empty());
}
