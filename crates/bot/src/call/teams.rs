//! Calls that one of a team takes.

use tokio::task::JoinHandle;

use crate::flow::Contact;

/// What somebody is picked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Transfer,
    Redirect,
}

/// It is being found out who is there.
pub(super) struct Picking {
    pub(super) purpose: Purpose,
    pub(super) choice: JoinHandle<Option<Contact>>,
}

impl Picking {
    /// Waits for it; `None` if nobody is there. Cancel-safe.
    pub(super) async fn who(&mut self) -> Option<Contact> {
        (&mut self.choice).await.ok().flatten()
    }
}

impl Drop for Picking {
    fn drop(&mut self) {
        self.choice.abort();
    }
}
