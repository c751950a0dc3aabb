//! What lies below a call: operations, content sharing sessions, audio routing groups.

use http::{Method, StatusCode};

use super::calls::call_path;
use super::check::{Check, InvalidRequest};
use super::{GraphRequest, Reply};
use crate::types::{
    AudioRoutingGroup, CallId, CommsOperation, ContentSharingSession, OperationId, Page,
    RoutingGroupId, SharingSessionId,
};

fn get<T: Reply>(operation: &'static str, path: String) -> GraphRequest<T> {
    GraphRequest::new(operation, Method::GET, path, StatusCode::OK).repeatable()
}

/// Lists the operations on a call: `200`. Repeatable.
pub fn list_operations(id: &CallId) -> GraphRequest<Page<CommsOperation>> {
    get("list operations", format!("{}/operations", call_path(id)))
}

/// Reads an operation on a call: `200`. Repeatable.
pub fn get_operation(id: &CallId, operation: &OperationId) -> GraphRequest<CommsOperation> {
    let path = format!("{}/operations/{operation}", call_path(id));
    get("get commsOperation", path)
}

/// Lists what is shared in a call: `200`. Repeatable.
pub fn list_content_sharing_sessions(id: &CallId) -> GraphRequest<Page<ContentSharingSession>> {
    let path = format!("{}/contentSharingSessions", call_path(id));
    get("list contentSharingSessions", path)
}

/// Reads a content sharing session: `200`. Repeatable.
pub fn get_content_sharing_session(
    id: &CallId,
    session: &SharingSessionId,
) -> GraphRequest<ContentSharingSession> {
    let path = format!("{}/contentSharingSessions/{session}", call_path(id));
    get("get contentSharingSession", path)
}

fn groups_path(id: &CallId) -> String {
    format!("{}/audioRoutingGroups", call_path(id))
}

fn group_path(id: &CallId, group: &RoutingGroupId) -> String {
    format!("{}/{group}", groups_path(id))
}

/// Lists who hears whom: `200`. Repeatable.
pub fn list_audio_routing_groups(id: &CallId) -> GraphRequest<Page<AudioRoutingGroup>> {
    get("list audioRoutingGroups", groups_path(id))
}

/// Reads an audio routing group: `200`. Repeatable.
pub fn get_audio_routing_group(
    id: &CallId,
    group: &RoutingGroupId,
) -> GraphRequest<AudioRoutingGroup> {
    get("get audioRoutingGroup", group_path(id, group))
}

/// Lets participants of a group call hear one privately: `200`. Not repeatable.
pub fn create_audio_routing_group(
    id: &CallId,
    group: &AudioRoutingGroup,
) -> Result<GraphRequest<AudioRoutingGroup>, InvalidRequest> {
    const OPERATION: &str = "create audioRoutingGroup";
    Check(OPERATION).new_routing_group(group)?;
    let path = groups_path(id);
    let request = GraphRequest::new(OPERATION, Method::POST, path, StatusCode::OK);
    Ok(request.with_body(group))
}

/// Changes who hears: `200`. Repeatable.
pub fn update_audio_routing_group(
    id: &CallId,
    group: &RoutingGroupId,
    changes: &AudioRoutingGroup,
) -> Result<GraphRequest<AudioRoutingGroup>, InvalidRequest> {
    const OPERATION: &str = "update audioRoutingGroup";
    Check(OPERATION).changed_routing_group(changes)?;
    let path = group_path(id, group);
    let request = GraphRequest::new(OPERATION, Method::PATCH, path, StatusCode::OK);
    Ok(request.with_body(changes).repeatable())
}

/// Ends private hearing: `204`. Repeatable.
pub fn delete_audio_routing_group(id: &CallId, group: &RoutingGroupId) -> GraphRequest<()> {
    let path = group_path(id, group);
    let operation = "delete audioRoutingGroup";
    GraphRequest::new(operation, Method::DELETE, path, StatusCode::NO_CONTENT).repeatable()
}
