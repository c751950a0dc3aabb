//! The machine, the model, and a network between them that loses, repeats, delays and reorders.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{Duration, Instant};

use switchboard_signaling::call::{
    CallEvent, CallMachine, Cause, Command, CommandId, Request, RequestId,
};
use switchboard_signaling::error::{GraphError, Outcome};
use switchboard_signaling::notification::Notification;
use switchboard_signaling::types::{CallState, NotifiedResource, Tone};

use crate::graph::{Answer, Graph, Later, refused};
use crate::tape::Tape;

pub(crate) enum Event {
    /// A request reaches Graph; its answer comes back, or not.
    Arrive(RequestId, Request, bool),
    /// A request is answered without reaching Graph, or after its answer was lost.
    Respond(RequestId, Answer),
    Notify(Notification),
    Happen(Later),
    /// The application, or the other side.
    Do(Deed),
}

#[derive(Debug, Clone)]
pub(crate) enum Deed {
    Command(Box<Command>),
    /// The other side hangs up; the application finds the silence suspicious some time later.
    PeerHangsUp,
    Press,
    Roster,
}

pub(crate) struct World {
    pub(crate) machine: CallMachine,
    pub(crate) graph: Graph,
    tape: Tape,
    start: Instant,
    pub(crate) now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    events: HashMap<u64, Event>,
    serial: u64,
    /// Commands that were taken, and how often each was settled.
    settled: HashMap<CommandId, (u32, u32)>,
    transfers: Vec<CommandId>,
    pub(crate) ended: Option<Cause>,
    pub(crate) heard: Vec<CallState>,
    last_tone: i64,
    /// An answer may have been accepted, and nobody has looked.
    unresolved: bool,
    answer_out: Option<RequestId>,
    newest_roster: Option<(i64, Vec<String>)>,
    steps: u32,
}

impl World {
    pub(crate) fn new(start: Instant, machine: CallMachine, graph: Graph, tape: Vec<u8>) -> Self {
        let mut world = Self {
            machine,
            graph,
            tape: Tape::new(tape),
            start,
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            serial: 0,
            settled: HashMap::new(),
            transfers: Vec::new(),
            ended: None,
            heard: Vec::new(),
            last_tone: 0,
            unresolved: false,
            answer_out: None,
            newest_roster: None,
            steps: 0,
        };
        world.drain();
        world
    }

    pub(crate) fn tape(&mut self) -> &mut Tape {
        &mut self.tape
    }

    pub(crate) fn at(&mut self, after: Duration, event: Event) {
        self.serial += 1;
        self.events.insert(self.serial, event);
        self.queue.push(Reverse((self.now + after, self.serial)));
    }

    /// Runs until `end`; quiet stretches cost nothing.
    pub(crate) fn run(&mut self, end: Duration) {
        loop {
            let timeout = self.machine.poll_timeout();
            let timeout = timeout.map(|at| at.saturating_duration_since(self.start));
            let event = self.queue.peek().map(|Reverse((at, _))| *at);
            let Some(next) = timeout
                .into_iter()
                .chain(event)
                .min()
                .filter(|at| *at <= end)
            else {
                break;
            };
            self.steps += 1;
            assert!(self.steps < 5_000, "the machine does not come to rest");
            self.now = self.now.max(next);
            if event.is_some_and(|at| at <= next) {
                let Reverse((_, serial)) = self.queue.pop().unwrap();
                let event = self.events.remove(&serial).unwrap();
                self.handle(event);
            } else {
                self.machine.handle_timeout(self.clock());
            }
            self.drain();
        }
        self.now = end;
    }

    fn clock(&self) -> Instant {
        self.start + self.now
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive(id, request, answered) => {
                let answer = self.graph.handle(self.now, &request, &mut self.tape);
                if answered {
                    let delay = self.tape.delay() / 20;
                    self.at(delay, Event::Respond(id, answer));
                }
            }
            Event::Respond(id, answer) => {
                self.note_response(id, &answer);
                let clock = self.clock();
                self.machine.handle_response(clock, id, answer);
            }
            Event::Notify(notification) => {
                self.note_roster(&notification);
                let clock = self.clock();
                self.machine.handle_notification(clock, &notification);
            }
            Event::Happen(later) => self.graph.happen(later),
            Event::Do(deed) => self.perform(deed),
        }
        self.spread();
    }

    /// What Graph has set going: its own future, and notifications with their fates.
    fn spread(&mut self) {
        for (after, later) in std::mem::take(&mut self.graph.later) {
            self.at(after, Event::Happen(later));
        }
        for notification in std::mem::take(&mut self.graph.notifications) {
            let copies = match self.tape.next() {
                fate @ 200..=224 => 1 + fate % 5,
                225.. => 0,
                _ => 1,
            };
            for _ in 0..copies {
                let delay = self.tape.delay();
                self.at(delay, Event::Notify(notification.clone()));
            }
        }
    }

    fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Command(command) => {
                let transfer = matches!(*command, Command::Transfer(_));
                let settles = !matches!(*command, Command::HangUp | Command::Check);
                let clock = self.clock();
                if let Ok(id) = self.machine.command(clock, *command) {
                    if settles {
                        self.settled.insert(id, (0, 0));
                    }
                    if transfer {
                        self.transfers.push(id);
                    }
                }
            }
            Deed::PeerHangsUp if self.graph.created => {
                let over = Later::State(CallState::Terminated, Some(0));
                self.graph.happen(over);
                let check = Deed::Command(Box::new(Command::Check));
                self.at(Duration::from_secs(10), Event::Do(check));
            }
            Deed::PeerHangsUp => {}
            Deed::Press => self.graph.press(),
            Deed::Roster => self.graph.notify_roster(),
        }
    }

    fn drain(&mut self) {
        while let Some((id, request)) = self.machine.poll_request() {
            assert!(self.ended.is_none(), "a request after the end");
            self.note_request(id, &request);
            self.post(id, request);
        }
        while let Some(event) = self.machine.poll_event() {
            assert!(self.ended.is_none(), "an event after the end");
            self.note_event(event);
        }
        if self.ended.is_some() {
            assert_eq!(self.machine.poll_timeout(), None);
            assert!(self.machine.is_terminated());
        }
    }

    /// The fate of a request.
    fn post(&mut self, id: RequestId, request: Request) {
        let operation = request.operation();
        let delay = self.tape.delay() / 20;
        let lost = |limit| GraphError::TimedOut { operation, limit };
        let limit = Duration::from_secs(6);
        let (answer, arrives) = match self.tape.next() {
            200..=207 => (Err(not_sent(operation)), false),
            208..=213 => (refused(operation, 429, Some(2)), false),
            214..=216 => (refused(operation, 429, None), false),
            217..=223 => (refused(operation, 503, None), false),
            224..=228 => (refused(operation, 500, None), true),
            229..=235 => (Err(lost(limit)), false),
            236..=241 => (Err(lost(limit)), true),
            // Neither response nor error: the machine's own deadline has to notice.
            242..=247 => return,
            248.. => return self.at(delay, Event::Arrive(id, request, false)),
            _ => return self.at(delay, Event::Arrive(id, request, true)),
        };
        // A request that timed out may reach Graph before that or after.
        if arrives {
            let late = self.tape.delay();
            self.at(late, Event::Arrive(id, request, false));
        }
        let response = if matches!(answer, Err(GraphError::TimedOut { .. })) {
            limit
        } else {
            delay
        };
        self.at(response, Event::Respond(id, answer));
    }

    fn note_request(&mut self, id: RequestId, request: &Request) {
        if request.operation() == "call: answer" {
            assert!(!self.unresolved, "an answer was repeated blindly");
            self.unresolved = true;
            self.answer_out = Some(id);
        }
    }

    /// An answer may be repeated after an error that excludes an effect, or after Graph said
    /// that the call is still incoming.
    fn note_response(&mut self, id: RequestId, answer: &Answer) {
        let answers = self.answer_out == Some(id);
        if answers {
            self.answer_out = None;
        }
        match answer {
            Err(error) if answers && error.outcome() == Outcome::NotDone => self.unresolved = false,
            Ok(switchboard_signaling::call::Response::Call(call))
                if call.state == Some(CallState::Incoming) =>
            {
                self.unresolved = false;
            }
            _ => {}
        }
    }

    fn note_roster(&mut self, notification: &Notification) {
        if self.machine.is_terminated() {
            return;
        }
        if let NotifiedResource::Participants(people) = &notification.resource {
            let number = people[0].roster_sequence_number.unwrap();
            let mut ids: Vec<_> = people.iter().filter_map(|one| one.id.clone()).collect();
            ids.sort();
            if self
                .newest_roster
                .as_ref()
                .is_none_or(|(newest, _)| *newest < number)
            {
                self.newest_roster = Some((number, ids));
            }
        }
    }

    fn note_event(&mut self, event: CallEvent) {
        match event {
            CallEvent::StateChanged(state) => self.heard.push(state),
            CallEvent::Accepted(command) => self.settle(command, 1, 0),
            CallEvent::OperationCompleted { command, .. }
            | CallEvent::CommandFailed { command, .. } => self.settle(command, 1, 0),
            CallEvent::TransferFailed { command, .. } => self.settle(command, 0, 1),
            CallEvent::Tone(tone) => self.note_tone(&tone),
            CallEvent::Terminated(how) => self.ended = Some(how.cause),
            _ => {}
        }
    }

    fn settle(&mut self, command: CommandId, settled: u32, failed: u32) {
        if let Some(count) = self.settled.get_mut(&command) {
            count.0 += settled;
            count.1 += failed;
        }
    }

    /// At most 15 keys are pressed: a key tells its number.
    fn note_tone(&mut self, tone: &Tone) {
        let number = Tone::KNOWN.iter().position(|known| known == tone).unwrap() as i64;
        assert!(number > self.last_tone, "a key twice or out of order");
        self.last_tone = number;
    }

    /// What must hold once the weather has been fair for long enough.
    pub(crate) fn check(&self) {
        assert!(self.graph.answers <= 1);
        self.check_settled();
        self.check_states();
        match &self.ended {
            None => {
                assert_eq!(*self.machine.state(), self.graph.state, "not converged");
                // Graph ends calls after 45 minutes without a sign.
                let quiet = self.now - self.graph.last_contact;
                assert!(quiet < Duration::from_secs(31 * 60), "no keepAlive");
            }
            Some(Cause::Unconfirmed | Cause::NotCreated(_)) => {}
            Some(_) => assert!(
                self.graph.is_over() || self.graph.state == CallState::Incoming,
                "a ghost: Graph's call is {}",
                self.graph.state
            ),
        }
        if let (None, Some((_, newest))) = (&self.ended, &self.newest_roster) {
            let mut ids: Vec<_> = self.machine.roster().participants().collect();
            ids.sort_by_key(|one| one.id.clone());
            let ids: Vec<_> = ids.iter().filter_map(|one| one.id.clone()).collect();
            assert_eq!(ids, *newest);
        }
    }

    /// Each command is settled by one event; a transfer may fail after it was accepted.
    fn check_settled(&self) {
        for (command, (settled, failed)) in &self.settled {
            let good = if self.transfers.contains(command) {
                settled + failed >= 1 && *settled <= 1 && *failed <= 1
            } else {
                (*settled, *failed) == (1, 0)
            };
            assert!(
                good,
                "{command:?} was settled {settled} and failed {failed} times"
            );
        }
    }

    fn check_states(&self) {
        let order = |state: &CallState| match state {
            CallState::Establishing | CallState::Redirecting | CallState::Ringing => 0,
            _ => 1,
        };
        let backwards = |pair: &[CallState]| order(&pair[0]) > order(&pair[1]);
        assert!(!self.heard.windows(2).any(backwards), "{:?}", self.heard);
        assert!(!self.heard.contains(&CallState::Terminated));
        assert!(!self.heard.contains(&CallState::Incoming));
    }
}

fn not_sent(operation: &'static str) -> GraphError {
    GraphError::Connect {
        operation,
        cause: "refused".to_owned(),
    }
}
