#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::super::test_keys::{ISSUER, NEXT, encode};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A cache that fetched the first key at `start`.
fn fetched(start: Instant) -> JwksCache {
    let mut cache = JwksCache::new();
    assert_eq!(
        cache.want_fetch(start, FetchCause::Refresh),
        FetchDecision::Fetch
    );
    cache.handle_keys(start, ISSUER.key_set());
    cache
}

#[test]
fn a_rollover_right_after_start_is_followed_at_once() {
    let start = Instant::now();
    let mut cache = fetched(start);
    let rollover = start + SECOND;
    assert_eq!(
        cache.want_fetch(rollover, FetchCause::UnknownKey),
        FetchDecision::Fetch
    );
    cache.handle_keys(rollover, NEXT.key_set());
    assert!(cache.keys().get(NEXT.kid).is_some());
    assert!(
        cache.keys().get(ISSUER.kid).is_none(),
        "withdrawn keys are gone"
    );
}

#[test]
fn a_flood_of_unknown_keys_earns_one_fetch_in_five_minutes() {
    let start = Instant::now();
    let mut cache = fetched(start);
    let mut fetches = 0;
    for millis in 0..900_000_u32 {
        let now = start + Duration::from_millis(millis.into());
        if cache.want_fetch(now, FetchCause::UnknownKey) == FetchDecision::Fetch {
            fetches += 1;
            cache.handle_keys(now, ISSUER.key_set());
        }
    }
    assert_eq!(fetches, 3, "at 0, 5 and 10 minutes of 15");
}

#[test]
fn only_one_fetch_runs_at_a_time_and_a_lost_one_is_forgotten() {
    let start = Instant::now();
    let mut cache = JwksCache::new();
    let mut want = |at: Instant| cache.want_fetch(at, FetchCause::UnknownKey);
    assert_eq!(want(start), FetchDecision::Fetch);
    assert_eq!(want(start + SECOND), FetchDecision::InFlight);
    assert_eq!(want(start + 31 * SECOND), FetchDecision::Fetch);
}

#[test]
fn failures_are_retried_with_growing_pauses_and_keep_the_old_keys() {
    let start = Instant::now();
    let mut cache = fetched(start);
    let mut now = start + 60 * MINUTE;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert_eq!(
            cache.want_fetch(now, FetchCause::Refresh),
            FetchDecision::Fetch
        );
        cache.handle_failure(now);
        assert_eq!(
            cache.want_fetch(now, FetchCause::UnknownKey),
            FetchDecision::NotNow
        );
        let next = cache.poll_timeout().unwrap();
        pauses.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert!(cache.keys().get(ISSUER.kid).is_some());
}

#[test]
fn without_any_keys_they_are_asked_for_every_ten_seconds() {
    let mut cache = JwksCache::new();
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let wanted = cache.want_fetch(now, FetchCause::UnknownKey);
        assert_eq!(wanted, FetchDecision::Fetch);
        cache.handle_failure(now);
        let next = cache.poll_timeout().unwrap();
        pauses.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(pauses, [5, 10, 10, 10, 10]);
}

#[test]
fn keys_are_refreshed_every_hour() {
    let start = Instant::now();
    let mut cache = fetched(start);
    let due = cache.poll_timeout().unwrap();
    assert_eq!(due, start + 60 * MINUTE);
    assert_eq!(
        cache.want_fetch(due - SECOND, FetchCause::Refresh),
        FetchDecision::NotNow
    );
    assert_eq!(
        cache.want_fetch(due, FetchCause::Refresh),
        FetchDecision::Fetch
    );
}

#[test]
fn keys_that_cannot_sign_are_left_out() {
    let good = ISSUER.jwk();
    let changed = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk["kid"] = format!("bad {name}").into();
        jwk[name] = value;
        jwk
    };
    let jwks = json!({"keys": [
        changed("use", "enc".into()),
        changed("alg", "RS512".into()),
        changed("kty", "EC".into()),
        changed("kid", "".into()),
        changed("kid", Value::Null),
        changed("n", encode([0xff; 128]).into()),
        changed("n", encode([0xff; 1025]).into()),
        changed("n", "not base64!".into()),
        changed("n", 7.into()),
        changed("e", Value::Null),
        "not an object",
        good,
    ]});
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes()).unwrap();
    assert_eq!(keys.len(), 1);
    assert!(keys.get(ISSUER.kid).is_some());
}

#[test]
fn key_sets_without_a_usable_key_are_refused() {
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"keys":7}"#,
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}"#,
    ] {
        assert!(KeySet::from_jwks(bad.as_bytes()).is_err(), "{bad}");
    }
    let many = json!({"keys": vec![ISSUER.jwk(); MAX_KEYS + 1]});
    let refused = KeySet::from_jwks(many.to_string().as_bytes());
    assert!(matches!(refused, Err(JwksError::TooManyKeys(129))));
}
