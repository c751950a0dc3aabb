//! What an engine asks for by itself, done in whole calls.

use std::sync::Mutex;

use switchboard_nlp::{Action, Collect, Engine, Event, Reply};

use super::*;

/// Collects a number after the prompt, then mutes on 7, unmutes on 8 and hangs up on 9.
struct Keypad {
    secret: bool,
    told: Arc<Mutex<Vec<Option<String>>>>,
}

impl Engine for Keypad {
    fn handle(&mut self, event: &Event, reply: &mut dyn FnMut(Reply)) {
        match event {
            Event::PromptFinished { name, .. } if name == "ask" => {
                reply(Reply::Action(Action::Collect(Collect {
                    min: 4,
                    max: 4,
                    secret: self.secret,
                    ..Collect::default()
                })));
            }
            Event::Digits(digits) => digits.with(|keys| {
                let mut told = self.told.lock().expect("nobody panics");
                told.push(keys.map(str::to_owned));
                match keys {
                    Some("7") => reply(Reply::Action(Action::Mute { muted: true })),
                    Some("8") => reply(Reply::Action(Action::Mute { muted: false })),
                    Some("9") => reply(Reply::Action(Action::HangUp)),
                    _ => {}
                }
            }),
            _ => {}
        }
    }
}

const FLOW: &str = r##"# prompts: ask
start = "ask"
otherwise = "bye"
engine = { collect = true, mute = true, hang_up = true }
[nodes.ask]
say = "ask"
listen = { keywords = { never = "bye" }, timeout = 60 }
[nodes.bye]
hang_up = true
"##;

async fn keypad(secret: bool) -> Vec<Option<String>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let engines = {
        let told = Arc::clone(&told);
        move || -> Box<dyn Engine> {
            let told = Arc::clone(&told);
            Box::new(Keypad { secret, told })
        }
    };
    let parts = Parts {
        engines: Arc::new(engines),
        ..Parts::new(script(FLOW).await)
    };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let site = Site::with(any, parts, TransportConfig::default()).await;
    let site = site.expect("the site starts");
    let mut caller = Person::calling(&site).await;
    caller.hears("ask").await;
    caller.press("47117");
    caller
        .until(|noticed| *noticed == Noticed::Muted(true))
        .await;
    caller.press("8");
    caller
        .until(|noticed| *noticed == Noticed::Muted(false))
        .await;
    caller.press("9");
    caller.is_hung_up_on().await;
    site.stop().await;
    std::mem::take(&mut *told.lock().expect("nobody panics"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_collects_keys_mutes_and_hangs_up() {
    let told = keypad(false).await;
    let told: Vec<_> = told.iter().map(Option::as_deref).collect();
    assert_eq!(told, [Some("4711"), Some("7"), Some("8"), Some("9")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_collects_a_secret_learns_that_it_was_entered() {
    let told = keypad(true).await;
    let told: Vec<_> = told.iter().map(Option::as_deref).collect();
    assert_eq!(told, [None, Some("7"), Some("8"), Some("9")]);
}
