//! Something of the journal once more, with a token of its own: a request as the same
//! application, a notification to it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use tower::ServiceExt as _;

use crate::journal::{Again, NoReplay};
use crate::shell::Hub;

/// Marks a request that a person sent again: it says nothing of how the bot behaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replayed;

/// Sends the request or the notification of a journal's entry again; the status it is answered
/// with. Secrets of a request's body were not kept, so that it is sent without them.
pub(crate) async fn replay(hub: &Arc<Hub>, seq: u64) -> Result<StatusCode, NoReplay> {
    if let Some(notice) = hub.journal(|journal| journal.notice_again(seq))? {
        return crate::shell::again(hub, &notice).await;
    }
    let again = hub.journal(|journal| journal.again(seq))?;
    let request = request(hub, again).ok_or(NoReplay::NoRequest)?;
    let graph = super::router(hub).with_state(Arc::clone(hub));
    let response = graph.oneshot(request).await;
    let Ok(response) = response;
    Ok(response.status())
}

fn request(hub: &Hub, again: Again) -> Option<Request> {
    let token = hub.identity().own_token(&again.app, hub.wall_clock())?;
    let mut request = Request::builder()
        .method(again.method.as_str())
        .uri(again.path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .extension(Replayed);
    let body = match again.body {
        Some(body) => {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    request.body(body).ok()
}
