//! Who is available, for flows that pass callers on to them.

use std::collections::BTreeSet;
use std::time::Duration;

use switchboard_signaling::client::GraphClient;
use switchboard_signaling::error::GraphError;
use switchboard_signaling::request::presence;
use switchboard_signaling::types::UserId;

use super::Task;

/// How long callers wait for the presence of those they may be passed on to: they must
/// be answered within 15 s.
const PRESENCE_WITHIN: Duration = Duration::from_secs(3);

impl Task {
    /// The contacts who are available, where the flow asks for it.
    pub(super) async fn present(&mut self) -> BTreeSet<String> {
        let watched = self.script.flow.watched();
        if watched.is_empty() {
            return BTreeSet::new();
        }
        available(&self.shared.graph, &watched).await
    }
}

/// Which of the contacts (by name, with their users) are available. Who can't be asked
/// about in time counts as away.
pub(crate) async fn available(graph: &GraphClient, watched: &[(&str, &str)]) -> BTreeSet<String> {
    match tokio::time::timeout(PRESENCE_WITHIN, ask(graph, watched)).await {
        Ok(Ok(present)) => present,
        Ok(Err(error)) => {
            tracing::warn!(%error, "presence can't be read; everybody counts as away");
            BTreeSet::new()
        }
        Err(_) => {
            tracing::warn!("presence isn't told in time; everybody counts as away");
            BTreeSet::new()
        }
    }
}

async fn ask(
    graph: &GraphClient,
    watched: &[(&str, &str)],
) -> Result<BTreeSet<String>, GraphError> {
    let ids: Vec<UserId> = watched
        .iter()
        .filter_map(|(_, user)| user.parse().ok())
        .collect();
    let Ok(request) = presence::get_by_user_id(&ids) else {
        return Ok(BTreeSet::new());
    };
    let page = graph.send(&request).await?;
    let free: Vec<String> = page
        .value
        .into_iter()
        .filter(|one| one.availability.as_deref() == Some("Available"))
        .filter_map(|one| one.id)
        .collect();
    let is_free = |user: &str| free.iter().any(|id| id.eq_ignore_ascii_case(user));
    let present = watched.iter().filter(|(_, user)| is_free(user));
    Ok(present.map(|(name, _)| (*name).to_owned()).collect())
}
