use serde_json::json;
use switchboard_media::event::{Digit, DigitSource};

use super::*;
use crate::cloud::{Correlation, Notice};

fn asked(journal: &mut Journal, now: Instant, call: &str, operation: &str) -> u64 {
    let request = ("POST", "/v1.0/communications/calls", &b"{}"[..]);
    journal.asked(now, "app", (call, operation), request)
}

#[test]
fn bodies_are_kept_without_secrets() {
    let body = json!({"mediaConfig": {"blob": "b"}, "tones": ["tone1"], "a": [{"passcode": "p"}],
        "value": [{"resourceData": {"toneInfo": {"tone": "tone5", "sequenceId": 1}}}],
        "recordingAccessToken": null});
    let kept = redacted(body);
    let expected = json!({"mediaConfig": {"blob": "…"}, "tones": "…", "a": [{"passcode": "…"}],
        "value": [{"resourceData": {"toneInfo": {"tone": "…", "sequenceId": 1}}}],
        "recordingAccessToken": null});
    assert_eq!(kept, expected);
    assert_eq!(readable(b"no json"), None);
    assert_eq!(readable(&vec![b'1'; MAX_BODY + 1]), None);
}

#[test]
fn a_request_is_sent_again_as_it_was_kept() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    let mut ask = |body: &[u8]| {
        let request = ("POST", "/v1.0/communications/calls/c/answer?x=1", body);
        journal.asked(now, "app", ("c", "answer"), request)
    };
    let with_secret = ask(br#"{"mediaConfig":{"blob":"b"}}"#);
    let without_body = ask(b"");
    let no_json = ask(b"x");
    let again = journal.again(with_secret).unwrap();
    assert_eq!(again.path, "/v1.0/communications/calls/c/answer?x=1");
    assert_eq!(again.body, Some(json!({"mediaConfig": {"blob": "…"}})));
    assert_eq!(journal.again(without_body).unwrap().body, None);
    assert_eq!(journal.again(no_json), Err(NoReplay::NoBody));
    journal.notified(now, "c", "incoming", ("m", "http://bot/", &json!({})));
    let notification = journal.since(0, None).last().unwrap().seq;
    assert_eq!(journal.again(notification), Err(NoReplay::NoRequest));
}

#[test]
fn a_notification_is_sent_again_unless_keys_or_secrets_were_in_it() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    let mut tell = |message: &str, data: serde_json::Value| {
        let body = json!({"value": [{"resourceData": data}]});
        let notice = Notice {
            call: "c".into(),
            kind: "tone".into(),
            app: "app".into(),
            tenant: "t".into(),
            to: "http://bot/".parse().unwrap(),
            body: serde_json::from_value(body).unwrap(),
            correlation: Correlation {
                chain: "x".into(),
                scenario: "c".into(),
                message: message.into(),
            },
            last: false,
        };
        let seq = journal.notified(now, "c", "tone", (message, "http://bot/", &notice.body));
        journal.keep(seq, &notice);
        let early = journal.notice_again(seq).err();
        journal.settled(message);
        (early, journal.notice_again(seq), seq)
    };
    let (early, sent, seq) = tell("a", json!({"state": "established"}));
    assert_eq!(early, Some(NoReplay::UnderWay));
    assert_eq!(sent.unwrap().unwrap().correlation.message, "a");
    let (_, key, _) = tell("b", json!({"toneInfo": {"tone": "tone5"}}));
    assert_eq!(key.unwrap_err(), NoReplay::Secret);
    assert!(journal.notice_again(seq + 2).unwrap().is_none());
    for _ in 0..MAX_ENTRIES {
        asked(&mut journal, now, "c", "get");
    }
    assert!(journal.sent.is_empty(), "what gives way is forgotten");
}

#[test]
fn what_becomes_known_later_is_a_change() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    let seq = asked(&mut journal, now, "", "create");
    journal.notified(now, "c", "establishing", ("m", "http://bot/", &json!({})));
    let looked = journal.changes();
    assert_eq!(journal.since(looked, None), []);
    let later = now + Duration::from_secs(1);
    journal.answered(seq, 201, Duration::from_millis(5), br#"{"id":"c"}"#);
    journal.delivered("m", Some(202), Duration::from_millis(7));
    asked(&mut journal, later, "c", "delete");
    let news = journal.since(looked, Some("c"));
    let lines: Vec<_> = news.iter().map(Entry::line).collect();
    assert_eq!(
        lines,
        [
            "request create 201",
            "notification establishing 202 x1",
            "request delete none"
        ]
    );
    assert_eq!(news[2].t_ms, 1000);
    assert_eq!(journal.on_their_way(), 1);
    journal.settled("m");
    assert_eq!(journal.on_their_way(), 0);
}

#[test]
fn who_looks_at_a_room_sees_its_bots_on_the_rooms_clock() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    let second = |n| now + Duration::from_secs(n);
    let create = asked(&mut journal, second(3), "", "create");
    journal.seated("c1", "Bot", ("room", now));
    journal.notified(
        second(4),
        "c1",
        "establishing",
        ("m", "http://bot/", &json!({})),
    );
    journal.answered(create, 201, Duration::ZERO, br#"{"id":"c1"}"#);
    journal.seated("c2", "Bot 2", ("room", now));
    asked(&mut journal, second(5), "c2", "get");
    journal.seated("c3", "Bot", ("elsewhere", now));
    asked(&mut journal, second(6), "c3", "get");
    let seen = |journal: &Journal, call| -> Vec<(String, u64)> {
        let entries = journal.since(0, Some(call)).into_iter();
        let bot = |entry: Entry| (entry.bot.unwrap_or_default(), entry.t_ms);
        entries.map(bot).collect()
    };
    let bot = |name: &str, t_ms| (name.to_owned(), t_ms);
    let all = [bot("Bot", 3000), bot("Bot", 4000), bot("Bot 2", 5000)];
    assert_eq!(seen(&journal, "room"), all);
    assert_eq!(seen(&journal, "c2"), all[2..]);
    // What becomes known of it later is news of the room.
    let looked = journal.changes();
    journal.delivered("m", Some(202), Duration::ZERO);
    assert_eq!(journal.since(looked, Some("room")).len(), 1);
}

#[test]
fn nothing_that_was_heard_gets_in_and_old_entries_go() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    let heard = [
        TimelineEvent::Dtmf {
            digit: Digit::ALL[5],
            source: DigitSource::Rtp,
            duration_ms: 100,
        },
        TimelineEvent::Speech {
            start_ms: 0,
            end_ms: None,
        },
        TimelineEvent::Level { dbov: -20.0 },
    ];
    for event in heard {
        let call = "c".to_owned();
        journal.shown(
            now,
            &CallEvent {
                call,
                t_ms: 0,
                participant: None,
                far: false,
                event,
            },
        );
    }
    assert_eq!(journal.since(0, None), []);
    let first = asked(&mut journal, now, "c", "get");
    for _ in 0..MAX_ENTRIES {
        asked(&mut journal, now, "c", "get");
    }
    assert_eq!(journal.since(0, None).len(), MAX_ENTRIES);
    journal.answered(first, 200, Duration::ZERO, b"");
    assert_eq!(journal.since(0, None)[0].seq, first + 1);
}

#[test]
fn a_scenarios_log_is_longer_than_the_journal() {
    let (mut journal, now) = (Journal::default(), Instant::now());
    asked(&mut journal, now, "c", "before");
    let since = journal.begin_log();
    for _ in 0..=MAX_ENTRIES {
        let seq = asked(&mut journal, now, "c", "get");
        journal.answered(seq, 200, Duration::ZERO, b"");
    }
    let line = Logged {
        call: "c".to_owned(),
        line: "request get 200".to_owned(),
        is_end: false,
        shared: false,
        stream: Stream::Request("get".to_owned()),
        operation: None,
    };
    assert_eq!(journal.log(since), (vec![line; MAX_ENTRIES + 1], 0));
    for _ in 0..MAX_LINES {
        asked(&mut journal, now, "c", "get");
    }
    let (lines, cut) = journal.log(since);
    assert_eq!((lines.len(), cut), (MAX_LINES + MAX_ENTRIES - 1, 2));
    journal.log_over();
    assert_eq!(journal.log(since).0.len(), MAX_ENTRIES);
}
