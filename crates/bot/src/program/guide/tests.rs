use std::time::Duration;

use super::*;
use futures_util::FutureExt;
use futures_util::task::noop_waker_ref;
use switchboard_media::event::Digit;

struct Bench {
    program: Program,
    now: Instant,
    done: Vec<Action>,
}

impl Bench {
    fn input(&mut self, input: Input<'_>) {
        self.done.extend(self.program.handle(self.now, input));
        self.poll();
    }

    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.input(Input::Digit(Digit::from_char(key).unwrap()));
        }
    }

    fn poll(&mut self) {
        let mut context = Context::from_waker(noop_waker_ref());
        while let Poll::Ready(actions) = self.program.poll(self.now, &mut context) {
            self.done.extend(actions);
        }
    }

    fn wait(&mut self) {
        self.now = self.program.poll_timeout().unwrap();
        self.input(Input::Timeout);
    }
}

fn bench() -> (Bench, Call) {
    let (program, call) = Program::new(Caller::default());
    let bench = Bench {
        program,
        now: Instant::now(),
        done: Vec::new(),
    };
    (bench, call)
}

/// Lets the conversation go on as far as it can, with what the bench does between.
macro_rules! talk {
    ($talk:expr, $($step:expr),+ $(,)?) => {{
        let mut talk = std::pin::pin!($talk);
        let mut context = Context::from_waker(noop_waker_ref());
        let mut outcome = talk.as_mut().poll(&mut context);
        $(
            assert!(outcome.is_pending(), "it ended before {}", stringify!($step));
            $step;
            outcome = talk.as_mut().poll(&mut context);
        )+
        outcome
    }};
}

fn ready(bench: &mut Bench) {
    bench.input(Input::Incoming);
    bench.poll();
    bench.input(Input::Connected);
}

#[test]
fn a_menu_is_said_and_a_key_collected() {
    let (mut bench, mut call) = bench();
    let outcome = talk!(
        async {
            assert_eq!(
                call.say(super::super::Prompt("menu")).await?,
                Said::Interrupted
            );
            let key = call.digits(Collect::one()).await?;
            assert_eq!(key.as_str(), "7");
            call.digits(Collect::up_to(6)).await
        },
        ready(&mut bench),
        bench.keys("7"),
        bench.poll(),
        bench.poll(),
        bench.keys("12#"),
    );
    assert_eq!(
        outcome,
        Poll::Ready(Ok(Keys(Zeroizing::new("12".to_owned()))))
    );
    assert_eq!(
        bench.done,
        [
            Action::Answer,
            Action::Play("menu".into()),
            Action::StopPlaying
        ]
    );
    drop(call);
    bench.poll();
    assert_eq!(bench.done.last(), Some(&Action::HangUp));
}

#[test]
fn silence_and_hanging_up_are_typed_errors() {
    let (mut bench, mut call) = bench();
    let silence = talk!(call.digits(Collect::one()), ready(&mut bench), bench.wait());
    assert_eq!(silence, Poll::Ready(Err(CallError::NoInput)));
    let gone = talk!(
        call.listen(Duration::from_secs(5)),
        bench.poll(),
        bench.input(Input::CallerLeft)
    );
    assert_eq!(gone, Poll::Ready(Err(CallError::HungUp)));
    let mut after = std::pin::pin!(call.say("more"));
    let mut context = Context::from_waker(noop_waker_ref());
    let after = after.as_mut().poll(&mut context);
    assert_eq!(after, Poll::Ready(Err(CallError::HungUp)));
}

#[test]
fn a_dropped_future_stops_what_it_began_and_loses_no_key() {
    let (mut bench, mut call) = bench();
    let pending = talk!(call.say("a long story"), ready(&mut bench));
    assert!(pending.is_pending());
    bench.poll();
    assert_eq!(bench.done.last(), Some(&Action::StopPlaying));
    bench.keys("4");
    let key = talk!(call.digits(Collect::one()), bench.poll());
    assert_eq!(key, Poll::Ready(Ok(Keys(Zeroizing::new("4".to_owned())))));
}

#[test]
fn a_call_can_be_refused_before_it_is_answered() {
    let (mut bench, call) = bench();
    bench.input(Input::Incoming);
    let asked = call.reject(crate::flow::Refusal::Busy).now_or_never();
    assert!(asked.is_some());
    bench.poll();
    assert_eq!(bench.done, [Action::Reject(crate::flow::Refusal::Busy)]);
}

#[test]
fn a_pin_closes_the_gate_while_it_is_entered() {
    let (mut bench, mut call) = bench();
    let pin = talk!(
        call.digits(Collect::up_to(4).secret()),
        ready(&mut bench),
        bench.keys("4711")
    );
    assert!(matches!(pin, Poll::Ready(Ok(ref keys)) if keys.as_str() == "4711"));
    assert!(!format!("{pin:?}").contains("4711"));
    assert_eq!(
        bench.done,
        [Action::Answer, Action::Secret(true), Action::Secret(false)]
    );
}

#[test]
fn a_pin_is_one_from_the_first_word_of_the_question_on() {
    let (mut bench, mut call) = bench();
    let pin = talk!(
        call.ask("Your PIN?", Collect::up_to(4).secret()),
        ready(&mut bench),
        bench.keys("4711")
    );
    assert!(matches!(pin, Poll::Ready(Ok(ref keys)) if keys.as_str() == "4711"));
    let question = Action::Say(Words::new("Your PIN?"));
    let done = [
        Action::Answer,
        Action::Secret(true),
        question,
        Action::StopPlaying,
        Action::Secret(false),
    ];
    assert_eq!(bench.done, done);
}

#[test]
fn keys_that_everybody_was_told_are_no_pin() {
    let (mut bench, mut call) = bench();
    let pin = talk!(
        async {
            call.say("Hello.").await?;
            call.ask("Your PIN?", Collect::up_to(4).secret()).await
        },
        ready(&mut bench),
        bench.keys("9"),
        bench.poll(),
        bench.input(Input::PromptFinished),
        bench.keys("47"),
        bench.wait(),
    );
    assert!(matches!(pin, Poll::Ready(Ok(ref keys)) if keys.as_str() == "47"));
}

#[test]
fn a_question_that_nobody_answers_is_waited_for_after_its_end() {
    let (mut bench, mut call) = bench();
    let nothing = talk!(
        call.ask("More?", Collect::one()),
        ready(&mut bench),
        assert_eq!(bench.program.poll_timeout(), None),
        bench.input(Input::PromptFinished),
        bench.wait(),
    );
    assert_eq!(nothing, Poll::Ready(Err(CallError::NoInput)));
    assert!(!bench.done.contains(&Action::StopPlaying));
}

#[test]
fn others_come_and_are_silenced() {
    let (program, call) = Program::placed(Caller::default());
    let (mut bench, mut call) = (
        Bench {
            program,
            now: Instant::now(),
            done: Vec::new(),
        },
        call,
    );
    let names = ["Ada".to_owned()];
    let came = Input::People(crate::flow::People {
        names: &names,
        joined: true,
        left: false,
    });
    let outcome = talk!(
        async {
            assert!(call.people().is_empty());
            call.mute(crate::flow::Whom::All).await?;
            call.invite(vec![crate::flow::Contact::User("ben".into())])
                .await
        },
        bench.poll(),
        bench.input(Input::Connected),
        bench.input(came),
        bench.input(Input::Done(true)),
        bench.poll(),
        bench.input(Input::Invited(false)),
    );
    assert_eq!(outcome, Poll::Ready(Err(CallError::NotDone)));
    assert_eq!(call.people(), ["Ada"]);
    let ben = crate::flow::Contact::User("ben".to_owned());
    let asked = [
        Action::Mute(crate::flow::Whom::All),
        Action::Invite(vec![ben]),
    ];
    assert_eq!(bench.done, asked);
}

#[test]
fn nobody_takes_the_transferred_call() {
    let (mut bench, mut call) = bench();
    let contact = crate::flow::Contact::User("agent".into());
    let failed = talk!(
        call.transfer(contact),
        ready(&mut bench),
        bench.input(Input::TransferFailed)
    );
    assert_eq!(failed, Poll::Ready(Err(CallError::TransferFailed)));
}

#[tokio::test]
async fn a_conversation_knows_who_speaks() {
    let (mut program, mut call) = Program::placed(Caller::default());
    assert!(call.speaking().is_empty());
    let ada = Arc::new(Speaker {
        source: 301,
        ..Speaker::default()
    });
    program.speaking(std::slice::from_ref(&ada));
    let within = Duration::from_secs(10);
    let speaking = call.speaking_changed(within).await;
    assert!(speaking.is_ok_and(|speaking| speaking == [ada]));
    drop(program);
    assert!(call.speaking_changed(within).await == Err(CallError::HungUp));
}

#[test]
fn whoever_listens_hears_words_out_and_learns_details_and_mood() {
    let (mut bench, mut call) = bench();
    assert_eq!(call.mood(), None);
    let begun = bench.now;
    let heard = talk!(
        call.listen(Duration::from_secs(5)),
        ready(&mut bench),
        bench.input(Input::SpeechStart),
        {
            bench.now = begun + Duration::from_secs(6);
            bench.input(Input::Timeout);
        },
        bench.input(Input::SpeechEnd),
        bench.input(Input::Sentiment(-0.5)),
        bench.input(Input::Engine(false)),
        bench.input(Input::Intent {
            name: "book",
            confidence: 0.25,
            slots: &[switchboard_nlp::Slot {
                name: "day".to_owned(),
                value: "monday".to_owned(),
            }],
        })
    );
    let Poll::Ready(Ok(Heard::Intent(understood))) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(understood.name.as_str(), "book");
    assert_eq!(
        (understood.confidence, understood.slot("day")),
        (0.25, Some("monday"))
    );
    assert_eq!(understood.slot("hour"), None);
    assert_eq!(call.mood(), Some(-0.5));
    assert!(!call.engine_is_up());
}

#[test]
fn a_question_is_cut_short_by_the_callers_voice() {
    let (mut bench, mut call) = bench();
    let within = Duration::from_secs(5);
    let heard = talk!(
        call.hear("How can I help you?", within),
        ready(&mut bench),
        assert_eq!(bench.program.poll_timeout(), None),
        bench.input(Input::SpeechStart),
        assert_eq!(bench.done.last(), Some(&Action::StopPlaying)),
        bench.input(Input::SpeechEnd),
        bench.input(Input::Text("our hours")),
    );
    assert!(matches!(heard, Poll::Ready(Ok(Heard::Text(words))) if words.as_str() == "our hours"));
    // An answer before the caller was noticed ends the question as well, and so does a key.
    for answer in [
        Input::Text("hours"),
        Input::Digit(Digit::from_char('1').unwrap()),
    ] {
        let heard = talk!(call.hear("And?", within), bench.poll(), bench.input(answer));
        assert!(matches!(heard, Poll::Ready(Ok(_))));
        assert_eq!(bench.done.last(), Some(&Action::StopPlaying));
    }
    let silence = talk!(
        call.hear("Well?", within),
        bench.poll(),
        bench.input(Input::PromptFinished),
        assert_eq!(bench.program.poll_timeout(), Some(bench.now + within)),
        bench.wait(),
    );
    assert_eq!(silence, Poll::Ready(Err(CallError::NoInput)));
}

fn somebody(name: &str) -> Option<crate::flow::Contact> {
    (name == "desk").then(|| crate::flow::Contact::User("desk-id".to_owned()))
}

#[test]
fn what_an_engine_asks_for_is_granted_or_not() {
    use crate::flow::Wish as Asks;
    let (mut bench, mut call) = bench();
    let listened = Duration::from_secs(5);
    let granted = talk!(
        async {
            for _ in 0..2 {
                let Heard::Wish(wish) = call.listen(listened).await? else {
                    panic!("a wish");
                };
                call.grant(wish, somebody).await?;
            }
            let Heard::Wish(wish) = call.listen(listened).await? else {
                panic!("a wish");
            };
            assert_eq!(
                call.grant(wish, somebody).await.map(drop),
                Err(CallError::NotDone)
            );
            let Heard::Wish(wish) = call.listen(listened).await? else {
                panic!("a wish");
            };
            call.grant(wish, somebody).await
        },
        ready(&mut bench),
        {
            // The second and third come before anybody listens to them.
            bench.program.name("say-1");
            bench.input(Input::Wish(Asks::Text("One moment.")));
            bench.input(Input::Wish(Asks::Mute(true)));
            bench.input(Input::Wish(Asks::Transfer("boss")));
            bench.input(Input::Wish(Asks::HangUp));
        },
        bench.poll(),
        {
            assert_eq!(bench.program.take_name().as_deref(), Some("say-1"));
            bench.input(Input::PromptFinished);
        },
        bench.poll(),
        bench.poll(),
        bench.poll(),
        bench.poll(),
        bench.poll(),
    );
    assert!(matches!(granted, Poll::Ready(Err(CallError::HungUp))));
    assert_eq!(
        bench.done,
        [
            Action::Answer,
            Action::Say(Words::new("One moment.")),
            Action::MuteBot(true),
            Action::HangUp
        ]
    );
}

#[test]
fn keys_that_an_engine_asks_for_reach_it_unless_they_are_secret() {
    for (secret, told) in [(false, Some(Words::new("4711"))), (true, None)] {
        let (mut bench, mut call) = bench();
        let wanted = switchboard_nlp::Collect {
            min: 4,
            max: 4,
            secret,
            ..switchboard_nlp::Collect::default()
        };
        let keys = talk!(
            async {
                let Ok(Heard::Wish(wish)) = call.listen(Duration::from_secs(5)).await else {
                    panic!("a wish");
                };
                call.grant(wish, somebody).await
            },
            ready(&mut bench),
            bench.input(Input::Wish(crate::flow::Wish::Collect(wanted))),
            bench.poll(),
            assert!(bench.program.is_collecting()),
            bench.keys("4711"),
        );
        assert!(matches!(keys, Poll::Ready(Ok(Some(keys))) if keys.as_str() == "4711"));
        assert!(!bench.program.is_collecting());
        assert!(bench.done.contains(&Action::Keys(told)));
    }
}

#[test]
fn an_engine_ends_what_is_said_and_its_wishes_are_bounded() {
    use crate::flow::Wish as Asks;
    let (mut bench, mut call) = bench();
    let said = talk!(
        call.say("A long story."),
        ready(&mut bench),
        bench.input(Input::Wish(Asks::StopSpeaking)),
    );
    assert_eq!(said, Poll::Ready(Ok(Said::Interrupted)));
    assert_eq!(bench.done.last(), Some(&Action::StopPlaying));
    for _ in 0..100 {
        bench.input(Input::Wish(Asks::Text("hello?")));
    }
    assert_eq!(bench.program.wishes.len(), MOST_WISHES);
    let few = talk!(
        call.digits(Collect {
            min: 2,
            ..Collect::up_to(4)
        }),
        bench.poll(),
        bench.keys("1"),
        bench.wait(),
    );
    assert_eq!(few, Poll::Ready(Err(CallError::NoInput)));
}
