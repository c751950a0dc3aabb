#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use serde_json::json;

use super::*;
use crate::call::test_bench::*;
use crate::types::{MediaPrompt, PlayPromptRequest, Prompt};

#[test]
fn nothing_follows_the_end() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.tell("terminated");
    bench.events();
    bench.tell("established");
    bench.reply(id, Ok(Response::Plain));
    bench.pass(3600);
    assert!(bench.events().is_empty());
    bench.no_request();
    assert_eq!(
        bench.command(Command::HangUp),
        Err(CommandError::Ended("hang up"))
    );
}

#[test]
fn graph_hears_every_15_minutes_that_the_call_goes_on() {
    let mut bench = Bench::established();
    let start = bench.now;
    bench.pass(3600);
    assert_eq!(bench.now - start, Duration::from_secs(900));
    let id = bench.request("call: keepAlive");
    bench.reply(id, status(500));
    bench.pass(3600);
    let id = bench.request("call: keepAlive");
    assert_eq!(bench.now - start, Duration::from_secs(960));
    bench.reply(id, Ok(Response::Plain));
    bench.pass(3600);
    let id = bench.request("call: keepAlive");
    assert_eq!(bench.now - start, Duration::from_secs(1860));
    bench.reply(id, status(404));
    assert_eq!(bench.events(), ["terminated: gone"]);
}

#[test]
fn a_keep_alive_without_a_response_is_sent_again() {
    let mut bench = Bench::established();
    bench.pass(900);
    bench.request("call: keepAlive");
    bench.pass(125);
    bench.request("call: keepAlive");
}

#[test]
fn silence_while_establishing_is_looked_into() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, Ok(Response::Plain));
    bench.pass(10);
    bench.read("established");
    assert_eq!(bench.machine.state(), &CallState::Established);
}

#[test]
fn a_check_finds_a_lost_end() {
    let mut bench = Bench::established();
    bench.command(Command::Check).unwrap();
    let id = bench.request("get call");
    bench.reply(id, status(404));
    assert_eq!(bench.events(), ["terminated: gone"]);
}

#[test]
fn an_end_nobody_told_of_is_found_without_asking() {
    let mut bench = Bench::checked_every(Duration::from_secs(60));
    bench.establish();
    bench.pass(60);
    bench.read("established");
    bench.pass(59);
    bench.no_request();
    bench.pass(1);
    let read = bench.request("get call");
    bench.reply(read, status(404));
    assert_eq!(bench.events(), ["terminated: gone"]);
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn hanging_up_is_tried_until_it_is_confirmed_or_hopeless() {
    let mut bench = Bench::established();
    bench.command(Command::HangUp).unwrap();
    bench.command(Command::HangUp).unwrap();
    let id = bench.request("delete call");
    bench.reply(id, timed_out());
    bench.pass(1);
    let id = bench.request("delete call");
    bench.reply(id, Ok(Response::Plain));
    assert_eq!(bench.events(), ["terminated: hung up"]);

    let mut bench = Bench::established();
    bench.command(Command::HangUp).unwrap();
    for _ in 0..8 {
        let id = bench.request("delete call");
        bench.reply(id, status(500));
        bench.pass(60);
    }
    assert_eq!(bench.events(), ["terminated: unconfirmed"]);
}

#[test]
fn a_transfer_ends_the_call() {
    let mut bench = Bench::established();
    bench.command(transfer()).unwrap();
    let id = bench.request("call: transfer");
    bench.reply(id, Ok(Response::Plain));
    for state in ["transferring", "transferAccepted", "terminated"] {
        bench.tell(state);
    }
    let expected = [
        "accepted 2",
        "transferring",
        "transferAccepted",
        "terminated: graph",
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn a_failed_transfer_is_told_after_graph_confirmed_it() {
    let mut bench = Bench::established();
    bench.command(transfer()).unwrap();
    let id = bench.request("call: transfer");
    bench.reply(id, Ok(Response::Plain));
    bench.tell("transferring");
    bench.pass(5);
    bench.notify(json!({
        "@odata.type": "#microsoft.graph.call", "state": "established",
        "resultInfo": {"code": 500, "subCode": 7000, "message": "x"},
    }));
    assert_eq!(bench.events(), ["accepted 2", "transferring"]);
    bench.read("established");
    assert_eq!(bench.events(), ["transfer failed: failed", "established"]);
    bench.command(transfer()).unwrap();
}

#[test]
fn an_old_established_does_not_fail_a_transfer() {
    let mut bench = Bench::established();
    bench.command(transfer()).unwrap();
    let id = bench.request("call: transfer");
    bench.reply(id, Ok(Response::Plain));
    bench.tell("transferring");
    for _ in 0..5 {
        bench.tell("established");
    }
    bench.read("transferring");
    bench.tell("transferAccepted");
    let expected = ["accepted 2", "transferring", "transferAccepted"];
    assert_eq!(bench.events(), expected);
}

#[test]
fn a_transfer_that_graph_forgets_is_noticed() {
    for fate in [Ok(Response::Plain), timed_out()] {
        let mut bench = Bench::established();
        bench.command(transfer()).unwrap();
        let id = bench.request("call: transfer");
        bench.reply(id, fate);
        bench.events();
        while bench.machine.transfer.is_some() {
            bench.pass(10);
            bench.read("established");
        }
        assert_eq!(bench.events(), ["transfer failed: failed"]);
    }
}

#[test]
fn a_transfer_heard_of_without_being_ours_is_verified() {
    let mut bench = Bench::established();
    bench.tell("transferring");
    bench.read("established");
    assert!(bench.events().is_empty());
}

#[test]
fn operations_complete_by_response_and_by_notification() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    bench.command(Command::Unmute).unwrap();
    let id = bench.request("call: mute");
    bench.reply(id, operation_reply("o1", "command-2", "completed"));
    let id = bench.request("call: unmute");
    bench.reply(id, operation_reply("o2", "command-3", "running"));
    assert_eq!(bench.events(), ["muted true", "completed 2"]);
    for _ in 0..5 {
        bench.notify(operation("o2", "command-3", "completed"));
        bench.notify(operation("o1", "command-2", "completed"));
    }
    assert_eq!(bench.events(), ["muted false", "completed 3"]);
}

#[test]
fn a_result_may_overtake_its_response() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    let id = bench.request("call: mute");
    bench.notify(operation("o1", "command-2", "failed"));
    assert_eq!(bench.events(), ["failed 2: failed"]);
    bench.reply(id, operation_reply("o1", "command-2", "running"));
    bench.pass(3600);
    assert!(bench.events().is_empty());
}

#[test]
fn what_has_ended_is_in_no_doubt_whatever_the_response_says() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    let id = bench.request("call: mute");
    bench.notify(operation("o2", "command-2", "completed"));
    bench.reply(id, status(502));
    assert_eq!(bench.events(), ["muted true", "completed 2"]);
}

#[test]
fn no_operation_is_pending_for_ever() {
    for outcome in [operation_reply("o1", "command-2", "running"), timed_out()] {
        let mut bench = Bench::established();
        bench.command(Command::Mute).unwrap();
        let id = bench.request("call: mute");
        bench.reply(id, outcome);
        while bench.machine.poll_event().is_none() {
            bench.pass(600);
            while let Some((id, _)) = bench.machine.poll_request() {
                bench.reply(id, status(503));
            }
            assert!(
                bench.machine.operations.poll_timeout().is_some()
                    || !bench.machine.events.is_empty()
            );
        }
    }
}

#[test]
fn the_end_settles_whatever_is_open() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    bench.command(Command::Unmute).unwrap();
    bench.command(transfer()).unwrap();
    bench.tell("terminated");
    let expected = [
        "failed 2: call ended",
        "failed 3: call ended",
        "transfer failed: call ended",
        "terminated: graph",
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn work_is_for_this_call_and_for_established_ones() {
    let mut bench = Bench::incoming();
    let early = bench.command(Command::Mute);
    assert!(matches!(early, Err(CommandError::State { .. })));
    let mut bench = Bench::established();
    let other: CallId = "other".parse().unwrap();
    let foreign = Command::Operation(request::mute(&other, None).unwrap());
    let refused = bench.command(foreign);
    assert_eq!(refused, Err(CommandError::OtherCall("call: mute")));
}

#[test]
fn tones_come_in_order_and_once() {
    let mut bench = Bench::established();
    for (sequence, tone) in [(1, "tone1"), (1, "tone1"), (3, "star"), (2, "tone2")] {
        bench.notify(json!({
            "@odata.type": "#microsoft.graph.call", "state": "established",
            "toneInfo": {"sequenceId": sequence, "tone": tone},
        }));
    }
    assert_eq!(bench.events(), ["tone 1", "tone 2", "tone *"]);
}

#[test]
fn notifications_may_overtake_the_creation() {
    let mut bench = outgoing();
    let id = bench.request("create call");
    bench.tell("established");
    assert!(bench.events().is_empty());
    bench.reply(id, created("establishing"));
    assert_eq!(bench.events(), ["created", "established"]);
    assert_eq!(bench.machine.id().unwrap().as_str(), CALL);
}

#[test]
fn a_call_that_is_not_created_is_over() {
    for outcome in [status(403), timed_out(), Ok(Response::Plain)] {
        let mut bench = outgoing();
        let id = bench.request("create call");
        bench.reply(id, outcome);
        assert_eq!(bench.events(), ["terminated: not created"]);
    }
}

#[test]
fn hanging_up_while_creating_deletes_the_call_once_it_has_an_id() {
    let mut bench = outgoing();
    let id = bench.request("create call");
    bench.command(Command::HangUp).unwrap();
    bench.no_request();
    bench.pass(30);
    bench.reply(id, created("establishing"));
    let id = bench.request("delete call");
    bench.reply(id, Ok(Response::Plain));
    assert_eq!(bench.events(), ["created", "terminated: hung up"]);
}

#[test]
fn the_codes_of_the_end_are_told() {
    let mut bench = Bench::established();
    bench.notify(json!({
        "@odata.type": "#microsoft.graph.call", "state": "terminated",
        "resultInfo": {"code": 0, "subcode": 7015, "message": "GracefulTransferCompleted"},
    }));
    let Some(CallEvent::Terminated(how)) = bench.machine.poll_event() else {
        panic!()
    };
    assert_eq!((how.code, how.subcode), (Some(0), Some(7015)));
    assert_eq!(how.message.as_deref(), Some("GracefulTransferCompleted"));
}

#[test]
fn what_waits_is_not_sent_before_graph_allows() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    bench.command(Command::Unmute).unwrap();
    let id = bench.request("call: mute");
    bench.reply(id, throttled(429, Some(20)));
    assert_eq!(bench.events(), ["failed 2: refused"]);
    bench.pass(19);
    bench.no_request();
    bench.pass(1);
    bench.request("call: unmute");
}

#[test]
fn what_graph_is_too_busy_for_is_asked_again_in_its_turn() {
    let mut bench = Bench::established();
    bench.command(transfer()).unwrap();
    let prompt = Prompt::Media(MediaPrompt::new("https://bot.example/hello.wav", None));
    let play = PlayPromptRequest {
        prompts: Some(vec![prompt]),
        ..PlayPromptRequest::default()
    };
    bench.command(Command::PlayPrompt(play)).unwrap();
    for pause in [4, 1, 2] {
        let id = bench.request("call: transfer");
        // Without a time it is a second.
        bench.reply(id, throttled(429, (pause > 1).then_some(pause)));
        assert_eq!(bench.events(), Vec::<String>::new());
        bench.pass(pause - 1);
        bench.no_request();
        bench.pass(1);
    }
    let id = bench.request("call: transfer");
    bench.reply(id, throttled(429, Some(4)));
    assert_eq!(bench.events(), ["transfer failed: refused"]);
    bench.pass(4);
    let id = bench.request("call: playPrompt");
    bench.reply(id, throttled(429, None));
    bench.pass(1);
    let id = bench.request("call: playPrompt");
    bench.reply(id, operation_reply("7", "command-3", "completed"));
    assert_eq!(bench.events(), ["completed 3"]);
}

#[test]
fn a_fault_of_graphs_leaves_an_operation_in_doubt_and_a_moments_pause() {
    let mut bench = Bench::established();
    bench.command(Command::Mute).unwrap();
    bench.command(Command::Unmute).unwrap();
    let id = bench.request("call: mute");
    bench.reply(id, status(502));
    assert_eq!(bench.events(), ["doubted 2"]);
    // The call is read; nothing else is asked at once.
    bench.read("established");
    bench.no_request();
    bench.pass(1);
    let id = bench.request("call: unmute");
    // Whether a connection broke before or after the request was taken can't be told.
    bench.reply(id, timed_out());
    assert_eq!(bench.events(), Vec::<String>::new());
}

#[test]
fn hanging_up_waits_as_long_as_graph_asks() {
    let mut bench = Bench::established();
    bench.command(Command::HangUp).unwrap();
    let id = bench.request("delete call");
    bench.reply(id, throttled(503, Some(90)));
    bench.pass(89);
    bench.no_request();
    bench.pass(1);
    let id = bench.request("delete call");
    bench.reply(id, throttled(429, Some(3600)));
    assert_eq!(bench.events(), ["terminated: unconfirmed"]);
}

#[test]
fn when_something_is_gone_the_call_is_read_before_anything_else_is_asked() {
    for still_there in [true, false] {
        let mut bench = Bench::established();
        bench.command(Command::Mute).unwrap();
        bench.command(Command::Unmute).unwrap();
        let id = bench.request("call: mute");
        bench.reply(id, status(404));
        bench.pass(1);
        if still_there {
            bench.read("established");
            bench.request("call: unmute");
        } else {
            let id = bench.request("get call");
            bench.reply(id, status(404));
            bench.no_request();
            assert!(bench.machine.is_terminated());
        }
    }
}
