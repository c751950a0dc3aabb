//! What of the journal can be sent again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Journal, What, redacted};
use crate::cloud::Notice;

/// Notifications by their entries' numbers.
pub(super) type Sent = BTreeMap<u64, Arc<Notice>>;

/// A request as it can be sent again: without the secrets that its body had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Again {
    pub(crate) app: String,
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

/// Why something can't be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoReplay {
    #[error(
        "there is no request or notification with that number; GET /admin/journal names them by seq"
    )]
    NoRequest,
    #[error("no application was let in with it")]
    Nobodys,
    #[error("its body is not kept: it was no JSON, or longer than 16 KiB")]
    NoBody,
    #[error("its body is not kept: keys or secrets were in it")]
    Secret,
    #[error("it is still on its way")]
    UnderWay,
    #[error("its call is over, or its application is no longer in it")]
    Gone,
    #[error("the webhook gave no answer")]
    NoAnswer,
}

impl Journal {
    /// A request, to be sent again.
    pub(crate) fn again(&self, seq: u64) -> Result<Again, NoReplay> {
        let entry = self.entries.iter().find(|entry| entry.seq == seq);
        match entry.map(|entry| &entry.what) {
            Some(What::Request { without: true, .. }) => Err(NoReplay::NoBody),
            Some(What::Request { app, .. }) if app.is_empty() => Err(NoReplay::Nobodys),
            Some(What::Request {
                app,
                method,
                path,
                request,
                ..
            }) => Ok(Again {
                app: app.clone(),
                method: method.clone(),
                path: path.clone(),
                body: request.clone(),
            }),
            _ => Err(NoReplay::NoRequest),
        }
    }

    /// Keeps a notification, to be sent again as it was. One with keys or secrets in it is
    /// not kept.
    pub(crate) fn keep(&mut self, seq: u64, notice: &Notice) {
        let body = serde_json::to_value(&notice.body).unwrap_or_default();
        if redacted(body.clone()) == body {
            self.sent.insert(seq, Arc::new(notice.clone()));
        }
    }

    /// A notification, to be sent again; `None` if that entry is none.
    pub(crate) fn notice_again(&self, seq: u64) -> Result<Option<Arc<Notice>>, NoReplay> {
        let entry = self.entries.iter().find(|entry| entry.seq == seq);
        let what = entry.map(|entry| &entry.what);
        if !matches!(what, Some(What::Notification { .. })) {
            return Ok(None);
        }
        if self.messages.values().any(|under_way| *under_way == seq) {
            return Err(NoReplay::UnderWay);
        }
        let sent = self.sent.get(&seq).ok_or(NoReplay::Secret)?;
        Ok(Some(Arc::clone(sent)))
    }
}
