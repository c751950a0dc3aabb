//! The call machine against a model of Graph, over a network that loses, repeats, delays and
//! reorders notifications and responses. 100,000 cases, split over four kinds of calls.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod graph;
mod tape;
mod world;

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use switchboard_signaling::call::{CallConfig, CallMachine, Command};
use switchboard_signaling::types::{
    AnswerRequest, AppHostedMediaConfig, Call, CallState, Identity, IdentitySet,
    InvitationParticipantInfo, Modality, RedirectRequest, RejectRequest, TransferRequest,
};

use graph::{CALL, Graph};
use world::{Deed, Event, World};

/// Longer than any deadline and pause together.
const FAIR_WEATHER: Duration = Duration::from_secs(40 * 60);

fn target() -> InvitationParticipantInfo {
    let user = IdentitySet {
        user: Some(Identity::new("550fae72-d251-43ec-868c-373732c2704f")),
        ..IdentitySet::default()
    };
    InvitationParticipantInfo {
        identity: Some(user),
        ..InvitationParticipantInfo::default()
    }
}

fn answer() -> Command {
    Command::Answer(AnswerRequest {
        callback_uri: Some("https://bot.example/calls".to_owned()),
        media_config: Some(AppHostedMediaConfig::new("blob").into()),
        accepted_modalities: Some(vec![Modality::Audio]),
        ..AnswerRequest::default()
    })
}

fn redirect() -> Command {
    Command::Redirect(RedirectRequest {
        targets: Some(vec![target()]),
        ..RedirectRequest::default()
    })
}

fn transfer() -> Command {
    Command::Transfer(Box::new(TransferRequest {
        transfer_target: Some(target()),
        ..TransferRequest::default()
    }))
}

fn incoming(tape: Vec<u8>) -> World {
    let start = Instant::now();
    let machine = CallMachine::incoming(start, CALL.parse().unwrap(), CallConfig::default());
    let mut world = World::new(start, machine, Graph::new(CallState::Incoming), tape);
    // Graph stops ringing after 15 s; ours may have begun a little later.
    let missed = world::Event::Happen(graph::Later::Missed);
    world.at(Duration::from_secs(15), missed);
    world
}

fn outgoing(tape: Vec<u8>) -> World {
    let start = Instant::now();
    let call = Call {
        callback_uri: Some("https://bot.example/calls".to_owned()),
        targets: Some(vec![target()]),
        requested_modalities: Some(vec![Modality::Audio]),
        media_config: Some(AppHostedMediaConfig::new("blob").into()),
        tenant_id: Some("1fdd12d0-4620-44ed-baec-459b611f84b2".to_owned()),
        ..Call::default()
    };
    let machine = CallMachine::outgoing(start, &call, CallConfig::default()).unwrap();
    World::new(start, machine, Graph::new(CallState::Establishing), tape)
}

/// Deeds at times of the tape's choice.
fn schedule(world: &mut World, deeds: &[u8], from: Duration) {
    let mut at = from;
    for deed in deeds {
        at += world.tape().delay() / 4;
        let deed = match deed % 12 {
            0 | 1 => Deed::Command(Box::new(Command::Mute)),
            2 => Deed::Command(Box::new(Command::Unmute)),
            3 => Deed::Command(Box::new(Command::SubscribeToTone)),
            4 | 5 => Deed::Command(Box::new(transfer())),
            6 => Deed::Command(Box::new(Command::HangUp)),
            7 => Deed::PeerHangsUp,
            8 | 9 => Deed::Press,
            10 => Deed::Roster,
            _ => Deed::Command(Box::new(Command::Check)),
        };
        world.at(at, Event::Do(deed));
    }
}

fn finish(mut world: World) {
    let end = world.now + FAIR_WEATHER;
    world.run(end);
    world.check();
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(30_000))]

    #[test]
    fn an_incoming_call_is_answered_at_most_once_and_converges(
        tape in vec(any::<u8>(), 0..48),
        answers in vec(0_u64..20_000, 1..4),
    ) {
        let mut world = incoming(tape);
        for at in answers {
            let command = Deed::Command(Box::new(answer()));
            world.at(Duration::from_millis(at), Event::Do(command));
        }
        finish(world);
    }
}

proptest! {
    #![proptest_config(cases(15_000))]

    #[test]
    fn whatever_is_decided_of_an_incoming_call_it_ends_or_converges(
        tape in vec(any::<u8>(), 0..40),
        decisions in vec((0_u8..5, 0_u64..17_000), 0..4),
    ) {
        let mut world = incoming(tape);
        for (decision, at) in decisions {
            let command = match decision {
                0 => answer(),
                1 => Command::Reject(RejectRequest::default()),
                2 => redirect(),
                3 => Command::HangUp,
                _ => Command::Check,
            };
            let command = Deed::Command(Box::new(command));
            world.at(Duration::from_millis(at), Event::Do(command));
        }
        finish(world);
    }
}

proptest! {
    #![proptest_config(cases(40_000))]

    #[test]
    fn commands_on_an_established_call_are_settled_and_the_call_converges(
        tape in vec(any::<u8>(), 0..96),
        deeds in vec(any::<u8>(), 0..15),
    ) {
        let mut world = incoming(Vec::new());
        let command = Deed::Command(Box::new(answer()));
        world.at(Duration::ZERO, Event::Do(command));
        world.run(Duration::from_secs(5));
        prop_assert_eq!(world.machine.state(), &CallState::Established);
        *world.tape() = tape::Tape::new(tape);
        schedule(&mut world, &deeds, Duration::ZERO);
        finish(world);
    }
}

proptest! {
    #![proptest_config(cases(15_000))]

    #[test]
    fn an_outgoing_call_converges(
        tape in vec(any::<u8>(), 0..64),
        deeds in vec(any::<u8>(), 0..10),
    ) {
        let mut world = outgoing(tape);
        schedule(&mut world, &deeds, Duration::ZERO);
        finish(world);
    }
}
