#![allow(clippy::unwrap_used, clippy::panic, clippy::needless_pass_by_value)]

use super::*;
use crate::call::CallConfig;
use crate::call::test_bench::*;

#[test]
fn a_call_is_answered_and_established() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, Ok(Response::Plain));
    bench.tell("establishing");
    bench.tell("established");
    assert_eq!(
        bench.events(),
        ["accepted 1", "establishing", "established"]
    );
    bench.tell("terminated");
    assert_eq!(bench.events(), ["terminated: graph"]);
    assert_eq!(bench.machine.poll_timeout(), None);
}

#[test]
fn a_call_is_answered_once() {
    let mut bench = Bench::incoming();
    bench.answer();
    let again = bench.command(Command::Answer(answer()));
    assert_eq!(again, Err(CommandError::Decided("answer")));
    let reject = bench.command(Command::Reject(RejectRequest::default()));
    assert_eq!(reject, Err(CommandError::Decided("reject")));
    bench.no_request();
}

#[test]
fn a_call_that_is_not_answered_is_given_up_in_time() {
    for (config, limit) in [
        (CallConfig::default(), 15),
        (CallConfig::policy_recording(), 5),
    ] {
        let mut bench = Bench::incoming();
        bench.machine = CallMachine::incoming(bench.now, CALL.parse().unwrap(), config);
        bench.pass(limit - 1);
        assert!(!bench.machine.is_terminated());
        bench.pass(1);
        assert_eq!(bench.events(), ["terminated: not answered"]);
        bench.no_request();
    }
}

#[test]
fn an_answer_that_comes_too_late_is_not_sent() {
    let mut bench = Bench::incoming();
    bench.now += Duration::from_secs(15);
    let late = bench.command(Command::Answer(answer()));
    assert_eq!(late, Err(CommandError::Ended("answer")));
    bench.no_request();
    assert_eq!(bench.events(), ["terminated: not answered"]);
}

#[test]
fn an_answer_that_never_left_is_sent_again() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, unconnected());
    bench.no_request();
    bench.pass(1);
    let id = bench.request("call: answer");
    bench.reply(id, throttled(429, Some(3)));
    bench.pass(2);
    bench.no_request();
    bench.pass(1);
    let id = bench.request("call: answer");
    bench.reply(id, throttled(429, Some(60)));
    assert_eq!(bench.events(), ["failed 1: refused"]);
}

#[test]
fn an_answer_of_unknown_fate_is_looked_into_and_not_repeated() {
    for unknown in [timed_out(), status(500), status(503)] {
        let mut bench = Bench::incoming();
        let id = bench.answer();
        bench.reply(id, unknown);
        bench.read("establishing");
        assert_eq!(bench.events(), ["accepted 1", "establishing"]);
        bench.no_request();
    }
}

#[test]
fn an_answer_that_had_no_effect_is_sent_again_once_graph_says_so() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, status(500));
    bench.read("incoming");
    let id = bench.request("call: answer");
    // The first one was slow, not lost: the second is refused, the call decides.
    bench.reply(id, status(400));
    bench.pass(1);
    bench.read("established");
    assert_eq!(bench.events(), ["accepted 1", "established"]);
}

#[test]
fn an_answer_that_had_no_effect_is_not_sent_again_before_graph_allows() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, throttled(503, Some(9)));
    bench.read("incoming");
    bench.pass(8);
    bench.no_request();
    bench.pass(1);
    bench.request("call: answer");
}

#[test]
fn an_answer_without_a_response_is_looked_into() {
    let mut bench = Bench::incoming();
    bench.answer();
    bench.pass(20);
    bench.read("established");
    assert_eq!(bench.events(), ["accepted 1", "established"]);
}

#[test]
fn an_answer_whose_fate_stays_unknown_ends_in_hanging_up() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, timed_out());
    while bench.machine.ending.is_none() {
        let Some((id, request)) = bench.machine.poll_request() else {
            bench.pass(60);
            continue;
        };
        assert_eq!(request.operation(), "get call");
        bench.reply(id, status(500));
    }
    assert_eq!(bench.events(), ["failed 1: lost"]);
    let id = bench.request("delete call");
    bench.reply(id, status(404));
    assert_eq!(bench.events(), ["terminated: hung up"]);
}

#[test]
fn a_refused_answer_can_be_followed_by_another_decision() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.reply(id, status(400));
    assert_eq!(bench.events(), ["failed 1: refused"]);
    bench.read("incoming");
    bench
        .command(Command::Reject(RejectRequest::default()))
        .unwrap();
    let id = bench.request("call: reject");
    bench.reply(id, Ok(Response::Plain));
    bench.tell("terminated");
    assert_eq!(bench.events(), ["accepted 2", "terminated: graph"]);
}

#[test]
fn established_before_the_response_settles_the_answer() {
    let mut bench = Bench::incoming();
    let id = bench.answer();
    bench.tell("established");
    bench.reply(id, timed_out());
    bench.tell("establishing");
    bench.tell("incoming");
    assert_eq!(bench.events(), ["accepted 1", "established"]);
    bench.no_request();
}

#[test]
fn a_call_that_graph_does_not_know_is_over() {
    for gone in [404, 410] {
        let mut bench = Bench::incoming();
        let id = bench.answer();
        bench.reply(id, status(gone));
        assert_eq!(bench.events(), ["failed 1: call ended", "terminated: gone"]);
    }
}

#[test]
fn hanging_up_an_incoming_call_rejects_it() {
    let mut bench = Bench::incoming();
    bench.command(Command::HangUp).unwrap();
    let id = bench.request("call: reject");
    bench.reply(id, Ok(Response::Plain));
    bench.pass(10);
    let id = bench.request("get call");
    bench.reply(id, status(404));
    assert_eq!(bench.events(), ["accepted 1", "terminated: gone"]);
}
