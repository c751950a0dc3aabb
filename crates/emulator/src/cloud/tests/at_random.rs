//! Whatever happens in whatever order, the rules hold.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Dial,
    Operate(&'static str),
    Say(bool, u8),
    Report(u8),
    Wait(u64),
    Gone(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let actions = prop::sample::select(vec![
        "answer",
        "reject",
        "redirect",
        "transfer",
        "keepAlive",
        "mute",
        "playPrompt",
        "subscribeToTone",
        "delete",
        "get",
    ]);
    prop_oneof![
        2 => Just(Step::Dial),
        4 => actions.prop_map(Step::Operate),
        3 => (any::<bool>(), 0..4_u8).prop_map(|(agent, what)| Step::Say(agent, what)),
        4 => (0..7_u8).prop_map(Step::Report),
        1 => (0..60_u64).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Gone),
    ]
}

fn report(which: u8) -> MediaReport {
    let (sdp, why) = ("answer".to_owned(), "why".to_owned());
    match which {
        0 => MediaReport::BotAnswered { sdp },
        1 => MediaReport::BotRefused { why },
        2 => MediaReport::Hosted {
            leg: Leg::Caller,
            sdp,
        },
        3 => MediaReport::Hosted {
            leg: Leg::Agent,
            sdp,
        },
        4 => MediaReport::HostFailed {
            leg: Leg::Caller,
            why,
        },
        5 => MediaReport::HostFailed {
            leg: Leg::Agent,
            why,
        },
        _ => MediaReport::Lost { leg: Leg::Caller },
    }
}

fn run(scene: &mut Scene, step: &Step) {
    let call = scene.cloud.calls.keys().next().cloned().unwrap_or_default();
    let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
    let sdp = SDP.to_owned();
    match step {
        Step::Dial => drop(scene.dial()),
        Step::Operate(action) => drop(scene.operate(&call, action, good(action))),
        Step::Say(by_agent, what) => {
            let phone = if *by_agent { agent } else { caller };
            scene.say(
                &phone,
                match what {
                    0 => PhoneCommand::Accept { call, sdp },
                    1 => PhoneCommand::Decline { call },
                    2 => PhoneCommand::Hangup { call },
                    _ => PhoneCommand::Offer { call, sdp },
                },
            );
        }
        Step::Report(which) => scene.report(&call, report(*which)),
        Step::Wait(seconds) => scene.wait(*seconds),
        Step::Gone(by_agent) => {
            let phone = if *by_agent { agent } else { caller };
            scene.cloud.phone_gone(&phone, scene.now);
            scene.settle();
        }
    }
}

/// What holds whatever happens.
fn check(scene: &Scene) {
    let cloud = &scene.cloud;
    for (id, phone) in &cloud.phones {
        if let Some(room) = &phone.room {
            let room = cloud
                .rooms
                .get(room)
                .expect("phones are in rooms that exist");
            let who = room::Who::Phone(id.clone());
            assert!(room.seats.iter().any(|seat| seat.who == who));
        } else if let Some(call) = &phone.call {
            let call = cloud
                .calls
                .get(call)
                .expect("phones are only in calls that exist");
            let rings = match &call.phase {
                Phase::Ringing(ring) | Phase::Redirecting(ring) | Phase::Transferring(ring) => {
                    ring.phones.contains(id)
                }
                _ => false,
            };
            assert!(rings || call.people().any(|someone| someone == id));
        }
    }
    for call in cloud.calls.values() {
        assert!(!call.over);
        let known = |phone: &String| {
            cloud.phones.get(phone).and_then(|p| p.call.as_ref()) == Some(&call.id)
        };
        assert!(
            call.people().all(known),
            "everyone in a call is a phone in it"
        );
        assert!(call.bot.is_some() || matches!(call.phase, Phase::Joined));
    }
    // Terminated is said once, and last.
    let mut ended = std::collections::BTreeSet::new();
    for notice in &scene.notified {
        let url = notice["resourceUrl"].as_str().unwrap();
        let call = url.split('/').nth(3).unwrap();
        assert!(
            !ended.contains(call),
            "nothing follows the last notification"
        );
        if notice["changeType"] == "deleted" && !url.contains("/operations/") {
            ended.insert(call.to_owned());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_sequence_of_steps_breaks_the_rules(steps in prop::collection::vec(step(), 1..60)) {
        let mut scene = Scene::new();
        for step in &steps {
            run(&mut scene, step);
            check(&scene);
        }
        scene.wait(46 * 60);
        let (caller, agent) = (scene.caller.clone(), scene.agent.clone());
        for phone in [caller, agent] {
            scene.cloud.phone_gone(&phone, scene.now);
        }
        scene.settle();
        check(&scene);
        prop_assert_eq!(scene.cloud.counts(), (0, 0), "nothing is left");
    }
}
