//! Conversations written in Rust: an `async fn` per call.
//!
//! ```no_run
//! use switchboard_bot::flow::Contact;
//! use switchboard_bot::program::{Call, CallError, Collect, Prompt};
//!
//! async fn talk(mut call: Call) -> Result<(), CallError> {
//!     call.say(Prompt("menu")).await?;
//!     let key = call.digits(Collect::one()).await?;
//!     match key.as_str() {
//!         "0" => call.transfer(Contact::User("8f6c2a52".into())).await?,
//!         _ => call.say("Goodbye.").await.map(|_| ())?,
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The call is answered when something is first said or waited for, and hung up when
//! the function returns. Every method is cancel-safe: dropping its future stops what it
//! began (a prompt falls silent), and loses no key. When the caller hangs up, whatever
//! is awaited ends with [`CallError::HungUp`].

mod guide;
mod terms;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use switchboard_nlp::Speaker;
use tokio::sync::{mpsc, oneshot, watch};

use crate::flow::{Action, Contact, Refusal, Whom};

pub(crate) use guide::Program;
pub use terms::{Collect, Heard, Keys, Prompt, Said, Understood, Utterance, Wish};
use terms::{MOST_KEYS, What};

/// Makes the conversation of each call.
pub type Handler = Arc<dyn Fn(Call) -> BoxFuture<'static, ()> + Send + Sync>;

/// Makes a [`Handler`] of an `async fn`. Its errors end the call; they are logged, and
/// say nothing about the caller.
pub fn handler<F, R>(talk: F) -> Handler
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), CallError>> + Send + 'static,
{
    Arc::new(move |call| {
        let talk = talk(call);
        Box::pin(async move {
            if let Err(error) = talk.await {
                tracing::debug!(%error, "a conversation ended early");
            }
        })
    })
}

/// A caller, as a conversation sees them. Dropping it hangs up.
pub struct Call {
    asks: mpsc::Sender<Ask>,
    caller: Caller,
    people: watch::Receiver<Vec<String>>,
    speaking: watch::Receiver<Vec<Arc<Speaker>>>,
    mood: watch::Receiver<Option<f32>>,
    engine: watch::Receiver<bool>,
}

/// Who calls, as far as is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Graph's identity id.
    pub id: Option<String>,
    /// The name shown to people.
    pub name: Option<String>,
    /// The phone number (E.164).
    pub number: Option<String>,
}

/// Why a conversation can't go on as meant. Says nothing of what was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call is over.
    #[error("the caller has hung up")]
    HungUp,
    /// The caller did nothing in time.
    #[error("the caller did nothing in time")]
    NoInput,
    /// Nobody took the transferred call; the caller is still here.
    #[error("nobody took the transferred call")]
    TransferFailed,
    /// What was asked of the others in the call couldn't be done.
    #[error("it could not be done in this call")]
    NotDone,
}

async fn changed<T: Clone>(now: &mut watch::Receiver<T>, within: Duration) -> Result<T, CallError> {
    match tokio::time::timeout(within, now.changed()).await {
        Ok(Ok(())) => Ok(now.borrow_and_update().clone()),
        Ok(Err(_)) => Err(CallError::HungUp),
        Err(_) => Err(CallError::NoInput),
    }
}

enum Ask {
    Say(Utterance, Answer<Said>),
    Digits(Collect, Option<Utterance>, Answer<Keys>),
    /// Keys that the engine wants.
    Collect(Collect, Answer<Keys>),
    Listen(Duration, Option<Utterance>, Answer<Heard>),
    Transfer(Contact, Answer<()>),
    /// Something whose outcome is told.
    Do(Action, Answer<()>),
    /// Something that is begun, and that's it.
    Order(Action, Answer<()>),
    Refuse(Refusal),
    Redirect(Contact),
}

type Answer<T> = oneshot::Sender<Result<T, CallError>>;

impl Call {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Says something, and waits until it is said or a key interrupts it.
    ///
    /// # Errors
    /// [`CallError::HungUp`].
    pub async fn say(&mut self, what: impl Into<Utterance>) -> Result<Said, CallError> {
        let what = what.into();
        self.send(|answer| Ask::Say(what, answer)).await
    }

    /// Waits for keys; those pressed before count, unless a [secret](Collect::secret) is
    /// waited for: nobody knew then that they were one.
    ///
    /// # Errors
    /// [`CallError::NoInput`] when the first key doesn't come in time,
    /// [`CallError::HungUp`].
    pub async fn digits(&mut self, how: Collect) -> Result<Keys, CallError> {
        self.send(|answer| Ask::Digits(how, None, answer)).await
    }

    /// Asks for keys: says something, which the first key cuts short, and waits for them.
    /// A [secret](Collect::secret) is one from the first word on.
    ///
    /// # Errors
    /// As [`digits`](Self::digits).
    pub async fn ask(
        &mut self,
        what: impl Into<Utterance>,
        how: Collect,
    ) -> Result<Keys, CallError> {
        let what = what.into();
        self.send(|answer| Ask::Digits(how, Some(what), answer))
            .await
    }

    /// Waits for words or a key; not in vain while the caller speaks.
    ///
    /// What is understood is the first that the engine tells: words for good, or an intent.
    /// What it asks for by itself comes as a [`Wish`]; up to eight of them wait for this.
    /// Where Graph hosts the media there are keys only.
    ///
    /// # Errors
    /// [`CallError::NoInput`] when nothing comes in time, [`CallError::HungUp`].
    pub async fn listen(&mut self, within: Duration) -> Result<Heard, CallError> {
        self.send(|answer| Ask::Listen(within, None, answer)).await
    }

    /// Asks a question: says something, which the caller's voice or a key cuts short, and
    /// [listens](Self::listen) from its first word on. The time begins when it is said.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub async fn hear(
        &mut self,
        what: impl Into<Utterance>,
        within: Duration,
    ) -> Result<Heard, CallError> {
        let what = Some(what.into());
        self.send(|answer| Ask::Listen(within, what, answer)).await
    }

    /// Does what the engine asks for. `contacts` knows whom it means by a name; a name that
    /// it doesn't know is [`CallError::NotDone`]. Keys that were collected for the engine are
    /// given to it, and here; secret ones only here.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use switchboard_bot::flow::Contact;
    /// # use switchboard_bot::program::{Call, CallError, Heard};
    /// /// Leaves the talking to the engine, and people to a list.
    /// async fn converse(mut call: Call) -> Result<(), CallError> {
    ///     loop {
    ///         match call.listen(Duration::from_secs(30)).await? {
    ///             Heard::Wish(wish) => {
    ///                 let desk = |name: &str| {
    ///                     (name == "desk").then(|| Contact::User("8f6c2a52".into()))
    ///                 };
    ///                 call.grant(wish, desk).await?;
    ///             }
    ///             // The engine knows what it made of it.
    ///             Heard::Text(_) | Heard::Intent(_) | Heard::Key(_) => {}
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of what is done; [`CallError::HungUp`] also when the wish was to end the call.
    pub async fn grant(
        &mut self,
        wish: Wish,
        contacts: impl Fn(&str) -> Option<Contact>,
    ) -> Result<Option<Keys>, CallError> {
        let contact = |name: String| contacts(&name).ok_or(CallError::NotDone);
        match wish {
            Wish::Say(what) => _ = self.say(what).await?,
            Wish::Collect(how) => {
                let keys = self.send(|answer| Ask::Collect(how, answer)).await?;
                return Ok(Some(keys));
            }
            Wish::Transfer(to) => self.transfer(contact(to)?).await?,
            Wish::Invite(who) => self.invite(vec![contact(who)?]).await?,
            Wish::Mute(muted) => self.order(Action::MuteBot(muted)).await?,
            Wish::HangUp => self.order(Action::HangUp).await?,
        }
        Ok(None)
    }

    /// Passes the call on; it ends here when somebody takes it.
    ///
    /// # Errors
    /// [`CallError::TransferFailed`] when nobody takes it: the conversation goes on.
    pub async fn transfer(&mut self, to: Contact) -> Result<(), CallError> {
        match self.send(|answer| Ask::Transfer(to, answer)).await {
            // The end of the call here is what was wanted.
            Err(CallError::HungUp) => Ok(()),
            outcome => outcome,
        }
    }

    /// What the others in the call are called, one each; empty where that isn't known.
    pub fn people(&self) -> Vec<String> {
        self.people.borrow().clone()
    }

    /// Waits until somebody has come or gone.
    ///
    /// # Errors
    /// [`CallError::NoInput`] when nobody does in time, [`CallError::HungUp`].
    pub async fn people_changed(&mut self, within: Duration) -> Result<Vec<String>, CallError> {
        changed(&mut self.people, within).await
    }

    /// Who of a conference speaks now, in the order in which they began: of those whose
    /// audio comes apart from the mix, the dominant ones. Nobody is heard so unless the bot's
    /// [`TransportConfig::speakers`](switchboard_transport::TransportConfig::speakers) asks
    /// for it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use switchboard_bot::program::{Call, CallError};
    /// /// Welcomes whoever speaks first.
    /// async fn first(mut call: Call) -> Result<(), CallError> {
    ///     let mut speaking = call.speaking();
    ///     while speaking.is_empty() {
    ///         speaking = call.speaking_changed(Duration::from_secs(60)).await?;
    ///     }
    ///     let name = speaking[0].party.name.as_deref().unwrap_or("whoever speaks");
    ///     call.say(format!("Good morning, {name}.")).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn speaking(&self) -> Vec<Arc<Speaker>> {
        self.speaking.borrow().clone()
    }

    /// Waits until somebody has begun or ceased to speak.
    ///
    /// # Errors
    /// [`CallError::NoInput`] when nobody does in time, [`CallError::HungUp`].
    pub async fn speaking_changed(
        &mut self,
        within: Duration,
    ) -> Result<Vec<Arc<Speaker>>, CallError> {
        changed(&mut self.speaking, within).await
    }

    /// How the caller feels, by the engine's newest word: −1 (very negative) to 1.
    pub fn mood(&self) -> Option<f32> {
        *self.mood.borrow()
    }

    /// Whether there is an engine to understand the caller: ask for keys while there isn't.
    pub fn engine_is_up(&self) -> bool {
        *self.engine.borrow()
    }

    /// Brings one to five into a group call or meeting, and waits until they are in.
    ///
    /// # Errors
    /// [`CallError::NotDone`] when nobody comes, [`CallError::HungUp`].
    pub async fn invite(&mut self, who: Vec<Contact>) -> Result<(), CallError> {
        self.send(|answer| Ask::Do(Action::Invite(who), answer))
            .await
    }

    /// Silences others in a group call or meeting.
    ///
    /// # Errors
    /// [`CallError::NotDone`] when they aren't there, [`CallError::HungUp`].
    pub async fn mute(&mut self, whom: Whom) -> Result<(), CallError> {
        self.send(|answer| Ask::Do(Action::Mute(whom), answer))
            .await
    }

    /// Puts one of the others on hold, with Graph's music.
    ///
    /// # Errors
    /// [`CallError::NotDone`] when they aren't there, [`CallError::HungUp`].
    pub async fn hold(&mut self, who: Contact) -> Result<(), CallError> {
        self.send(|answer| Ask::Do(Action::Hold(who, None), answer))
            .await
    }

    /// Takes one back from hold.
    ///
    /// # Errors
    /// [`CallError::NotDone`] when they aren't there, [`CallError::HungUp`].
    pub async fn resume(&mut self, who: Contact) -> Result<(), CallError> {
        self.send(|answer| Ask::Do(Action::Resume(who), answer))
            .await
    }

    /// Refuses a call that nothing was said in yet; hangs up otherwise.
    pub async fn reject(self, why: Refusal) {
        // A call that is over needs no refusal.
        let _ = self.asks.send(Ask::Refuse(why)).await;
    }

    /// Passes on a call that nothing was said in yet; hangs up otherwise.
    pub async fn redirect(self, to: Contact) {
        let _ = self.asks.send(Ask::Redirect(to)).await;
    }

    /// Hangs up.
    pub fn hang_up(self) {}

    async fn order(&mut self, action: Action) -> Result<(), CallError> {
        self.send(|answer| Ask::Order(action, answer)).await
    }

    async fn send<T>(&mut self, ask: impl FnOnce(Answer<T>) -> Ask) -> Result<T, CallError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.asks.send(ask(answer)).await;
        sent.map_err(|_| CallError::HungUp)?;
        answered.await.unwrap_or(Err(CallError::HungUp))
    }
}
