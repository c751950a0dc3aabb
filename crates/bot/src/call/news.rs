//! What whoever placed a call learns of it, and whoever looks after the bot.

use switchboard_signaling::call::Termination;
use switchboard_signaling::types::CallId;

use super::people::Member;
use super::{Control, Task};
use crate::bot::LiveCall;

/// How a call ended, for whoever placed it.
#[derive(Debug, Clone)]
pub struct CallReport {
    /// The call's id, once Graph gave one.
    pub id: Option<CallId>,
    /// Whether somebody answered.
    pub answered: bool,
    /// Whether whoever looks after the bot wanted it to end.
    pub by_hand: bool,
    /// The flow's `outcome`.
    pub outcome: Option<String>,
    /// How it ended; `None` when the task was let go of.
    pub end: Option<Box<Termination>>,
}

/// What is known of a call while it goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallNews {
    /// The call's id, once Graph gave one.
    pub id: Option<CallId>,
    /// Whether it has been established.
    pub established: bool,
    /// Who else is in it now.
    pub people: Vec<Member>,
    /// The flow's `outcome` so far.
    pub outcome: Option<String>,
}

impl Task {
    /// Keeps the list of live calls true.
    pub(super) fn tell_live(&mut self) {
        // Calls that Graph doesn't control have no id of its.
        let Control::Graph(driver) = &self.control else {
            return;
        };
        let machine = driver.machine();
        let Some(id) = machine.id() else { return };
        let (state, participants) = (machine.state(), machine.roster().len());
        if !self.origin.is_news(state, participants) {
            return;
        }
        let origin = &self.origin;
        let call = LiveCall {
            id: id.clone(),
            incoming: origin.incoming,
            since: origin.since,
            state: state.clone(),
            flow: origin.flow.clone(),
            participants,
            peer: origin.peer.clone(),
        };
        self.shared.live.tell(call, &origin.hang_up);
    }

    /// Tells whoever placed the call, if there is news.
    pub(super) fn tell_news(&self) {
        let Some(news) = &self.news else { return };
        let known = CallNews {
            id: self.control.id().cloned(),
            established: self.answered,
            people: self.members(),
            outcome: self.talk.guide().outcome().map(str::to_owned),
        };
        news.send_if_modified(|told| {
            let changed = *told != known;
            *told = known;
            changed
        });
    }
}
