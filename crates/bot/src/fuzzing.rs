//! Doors for the fuzz targets of `switchboard-tests`; nothing else may use them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::flow::{Action, Contact, Input, Refusal};
use crate::program::{Call, Caller, Collect, Heard, Program};
use crate::speech::{Sink, SpeechError, WavStream};

/// Rate and number of the samples in a WAV that comes in pieces of `size`; `None` if it
/// can't be read.
pub fn wav_stream(bytes: &[u8], size: usize) -> Option<(u32, usize)> {
    #[derive(Default)]
    struct Counted(u32, usize);
    impl Sink for Counted {
        async fn take(&mut self, rate: u32, samples: &[f32]) -> Result<(), SpeechError> {
            (self.0, self.1) = (rate, self.1 + samples.len());
            Ok(())
        }
    }
    let mut stream = WavStream::new(crate::speech::Encoding::Wav);
    let mut counted = Counted::default();
    for piece in bytes.chunks(size.max(1)) {
        // It never waits for this sink.
        let pushed = stream.push(piece, &mut counted).now_or_never()?;
        pushed.ok()?;
    }
    Some((counted.0, counted.1))
}

/// A call with a conversation in Rust that asks for one thing after the other.
pub struct Talk {
    program: Program,
    talk: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Talk {
    /// What is asked for, a byte each.
    pub fn new(asks: Vec<u8>) -> Self {
        let (program, call) = Program::new(Caller::default());
        let talk: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(talk(call, asks));
        Self {
            program,
            talk: Some(talk),
        }
    }

    /// What comes of an input, and of all that is asked for after it.
    pub fn step(&mut self, now: Instant, input: Input<'_>) -> Vec<Action> {
        let mut actions = self.program.handle(now, input);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let ended = self
                .talk
                .as_mut()
                .map(|talk| talk.as_mut().poll(&mut context));
            if ended.is_some_and(|ended| ended.is_ready()) {
                // The function has returned, and dropped its call.
                self.talk = None;
            }
            match self.program.poll(now, &mut context) {
                Poll::Ready(more) => actions.extend(more),
                Poll::Pending => return actions,
            }
        }
    }

    /// When a time-out is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.program.poll_timeout()
    }
}

async fn talk(mut call: Call, asks: Vec<u8>) {
    let second = Duration::from_secs(1);
    for ask in asks {
        let how = Collect::up_to(usize::from(ask >> 4));
        let how = if ask & 8 == 0 { how } else { how.secret() };
        // Whatever comes of it, the next is asked for.
        let _ = match ask % 9 {
            0 => call.say("something").await.map(drop),
            1 => call.digits(how).await.map(drop),
            2 => call.ask("something", how).await.map(drop),
            3 => call.listen(second).await.map(drop),
            4 => call.transfer(Contact::User("somebody".to_owned())).await,
            5 => {
                call.invite(vec![Contact::User("somebody".to_owned())])
                    .await
            }
            6 => call.hear("something", second).await.map(drop),
            7 => match call.listen(second).await {
                Ok(Heard::Wish(wish)) => {
                    let somebody = |_: &str| Some(Contact::User("somebody".to_owned()));
                    call.grant(wish, somebody).await.map(drop)
                }
                other => other.map(drop),
            },
            _ => return call.reject(Refusal::Busy).await,
        };
    }
}
