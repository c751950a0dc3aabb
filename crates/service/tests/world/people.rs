//! People with telephones, and what happened to each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use switchboard_reminders::{Ending, Target, Verdict};
use switchboard_service::{Clock, DialError, Dialer, Order, Placed, Progress};
use tokio::sync::{mpsc, oneshot};

use super::time::VirtualClock;

/// What somebody does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Habit {
    /// Answers, and confirms.
    Confirms,
    /// Answers the second call only, and confirms.
    SecondTime,
    /// Answers, and never presses a key.
    Ignores,
    /// Never answers.
    Away,
    /// Puts it off once, then confirms.
    Later,
    /// Has no telephone.
    Unknown,
}

impl Habit {
    pub(crate) fn of(number: usize) -> Self {
        match number % 20 {
            0..=11 => Self::Confirms,
            12..=14 => Self::SecondTime,
            15..=16 => Self::Ignores,
            17 => Self::Away,
            18 => Self::Later,
            _ => Self::Unknown,
        }
    }
}

/// One call, as the person called remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) began: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

/// One person.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) calls: Vec<Heard>,
    /// How often the telephone rang to the end.
    rang: u32,
    postponed: bool,
}

#[derive(Default)]
struct Everybody {
    people: HashMap<String, Person>,
    live: HashMap<String, (String, usize, Option<oneshot::Sender<()>>)>,
    calls: u64,
    overlaps: u32,
    most: usize,
}

/// The telephone network.
#[derive(Clone)]
pub(crate) struct World {
    clock: VirtualClock,
    everybody: Arc<Mutex<Everybody>>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    pub(crate) fn new(clock: VirtualClock) -> Self {
        Self {
            clock,
            everybody: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Everybody> {
        self.everybody.lock().unwrap()
    }

    /// Who had two calls at once.
    pub(crate) fn overlaps(&self) -> u32 {
        self.lock().overlaps
    }

    /// Calls at once, of all people, at most.
    pub(crate) fn most(&self) -> usize {
        self.lock().most
    }

    /// Calls that ring or are talked in.
    pub(crate) fn live(&self) -> usize {
        self.lock().live.len()
    }

    /// What one person remembers.
    pub(crate) fn calls_of(&self, phone: &str) -> Vec<Heard> {
        let everybody = self.lock();
        everybody
            .people
            .get(phone)
            .map_or_else(Vec::new, |person| person.calls.clone())
    }

    async fn sleep(&self, wait: Duration) {
        self.clock.sleep_until(self.clock.now() + wait).await;
    }

    /// Graph takes the request, whether or not the one who sent it is still there.
    async fn take(self, phone: String, answer: oneshot::Sender<Placed>) {
        self.sleep(Duration::from_millis(300)).await;
        let (sender, progress) = mpsc::channel(8);
        let (hang_up, hung_up) = oneshot::channel();
        let call = self.begin(&phone, hang_up);
        let placed = Placed {
            call: call.clone(),
            progress,
        };
        let _ = answer.send(placed);
        tokio::select! {
            () = self.ring_and_talk(&phone, &sender) => {}
            // Ended by somebody else: Graph tells whoever listens.
            _ = hung_up => {
                let _ = sender.send(Progress::Ended(Ending::Interrupted)).await;
            }
        }
        self.over(&call);
    }

    fn begin(&self, phone: &str, hang_up: oneshot::Sender<()>) -> String {
        let now = self.clock.now();
        let mut everybody = self.lock();
        everybody.calls += 1;
        let call = format!("call-{}", everybody.calls);
        let person = everybody.people.entry(phone.to_owned()).or_default();
        let overlap = person.calls.last().is_some_and(|call| call.ended.is_none());
        person.calls.push(Heard {
            began: now,
            ended: None,
        });
        let index = person.calls.len() - 1;
        everybody.overlaps += u32::from(overlap);
        let live = (phone.to_owned(), index, Some(hang_up));
        everybody.live.insert(call.clone(), live);
        everybody.most = everybody.most.max(everybody.live.len());
        call
    }

    fn over(&self, call: &str) {
        let now = self.clock.now();
        let mut everybody = self.lock();
        let Some((phone, index, _)) = everybody.live.remove(call) else {
            return;
        };
        if let Some(person) = everybody.people.get_mut(&phone) {
            person.calls[index].ended = Some(now);
        }
    }

    fn with<T>(&self, phone: &str, what: impl FnOnce(&mut Person) -> T) -> T {
        let mut everybody = self.lock();
        what(everybody.people.entry(phone.to_owned()).or_default())
    }

    async fn ring_and_talk(&self, phone: &str, bot: &mpsc::Sender<Progress>) {
        let number: usize = phone[5..].parse().unwrap();
        let habit = Habit::of(number);
        let rang = self.with(phone, |person| person.rang);
        let answers = match habit {
            Habit::Away => false,
            Habit::SecondTime => rang > 0,
            _ => true,
        };
        if !answers {
            self.sleep(seconds(20)).await;
            self.with(phone, |person| person.rang += 1);
            let _ = bot.send(Progress::Ended(Ending::NotAnswered)).await;
            return;
        }
        self.sleep(seconds(2 + number as u64 % 5)).await;
        // Nobody speaks to them once the bot is dead: media is lost, Graph ends it.
        self.sleep(seconds(5)).await;
        let later = self.with(phone, |person| {
            habit == Habit::Later && !std::mem::replace(&mut person.postponed, true)
        });
        let verdict = match habit {
            Habit::Ignores => None,
            _ if later => Some(Verdict::Postponed),
            _ => Some(Verdict::Confirmed),
        };
        let Some(verdict) = verdict else {
            self.sleep(seconds(8)).await;
            let _ = bot.send(Progress::Ended(Ending::Answered)).await;
            return;
        };
        let heard = bot.send(Progress::Decided(verdict)).await.is_ok();
        if later && !heard {
            self.with(phone, |person| person.postponed = false);
        }
        self.sleep(seconds(3)).await;
        let _ = bot.send(Progress::Ended(Ending::Answered)).await;
    }
}

#[async_trait]
impl Dialer for World {
    async fn dial(&self, order: Order) -> Result<Placed, DialError> {
        let Target::Phone(phone) = order.target else {
            return Err(DialError::Never("no number".to_owned()));
        };
        let number: usize = phone[5..].parse().unwrap();
        if Habit::of(number) == Habit::Unknown {
            return Err(DialError::Never("unknown number".to_owned()));
        }
        // Graph is busy now and then.
        if (number as i64 + order.token) % 31 == 0 {
            return Err(DialError::Later {
                reason: "429".to_owned(),
                retry_after: Some(seconds(7)),
            });
        }
        let (answer, placed) = oneshot::channel();
        tokio::spawn(self.clone().take(phone, answer));
        placed
            .await
            .map_err(|_| DialError::Unknown("gone".to_owned()))
    }

    async fn end(&self, call: &str) -> Result<(), DialError> {
        self.sleep(Duration::from_millis(100)).await;
        let hang_up = {
            let mut everybody = self.lock();
            everybody.live.get_mut(call).and_then(|live| live.2.take())
        };
        if let Some(hang_up) = hang_up {
            let _ = hang_up.send(());
            // Graph answers when the call is over.
            self.sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}
