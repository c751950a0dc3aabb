//! The operations on a call's media.

use http::StatusCode;

use super::GraphRequest;
use super::calls::{action, marked};
use super::check::{Check, InvalidRequest};
use crate::types::{
    CallId, ChangeScreenSharingRoleRequest, CommsOperation, PlayPromptRequest,
    RecordResponseRequest, ScreenSharingRole, SendDtmfTonesRequest, UpdateRecordingStatusRequest,
};

type Operation = Result<GraphRequest<CommsOperation>, InvalidRequest>;

/// Plays prompts, in calls with service-hosted media: `200`, and a notification when they
/// have ended. Not repeatable: it would be heard twice.
pub fn play_prompt(id: &CallId, body: &PlayPromptRequest) -> Operation {
    const OPERATION: &str = "call: playPrompt";
    Check(OPERATION).play_prompt(body)?;
    Ok(action(OPERATION, id, "playPrompt", StatusCode::OK).with_body(body))
}

/// Records what the caller says, at most two minutes, in calls with service-hosted media:
/// `200`, and a notification that tells where the recording is. Not repeatable.
///
/// [`GraphClient::recording`](crate::client::GraphClient::recording) fetches it.
pub fn record_response(id: &CallId, body: &RecordResponseRequest) -> Operation {
    const OPERATION: &str = "call: recordResponse";
    Check(OPERATION).record_response(body)?;
    Ok(action(OPERATION, id, "recordResponse", StatusCode::OK).with_body(body))
}

/// Ends prompts and recordings, those waiting included, and leaves the subscription to tones:
/// `200`. Not repeatable: a late repetition would end what was begun since.
pub fn cancel_media_processing(id: &CallId, client_context: Option<&str>) -> Operation {
    let operation = "call: cancelMediaProcessing";
    let name = "cancelMediaProcessing";
    marked(operation, id, name, StatusCode::OK, client_context)
}

/// Asks for a notification per key pressed, in calls with service-hosted media: `200`.
/// Repeatable.
pub fn subscribe_to_tone(id: &CallId, client_context: Option<&str>) -> Operation {
    let operation = "call: subscribeToTone";
    let name = "subscribeToTone";
    Ok(marked(operation, id, name, StatusCode::OK, client_context)?.repeatable())
}

/// Sends dial-pad tones into a call: `200`, and a notification when they are sent. Not
/// repeatable: they would be sent twice.
pub fn send_dtmf_tones(id: &CallId, body: &SendDtmfTonesRequest) -> Operation {
    const OPERATION: &str = "call: sendDtmfTones";
    Check(OPERATION).send_dtmf_tones(body)?;
    Ok(action(OPERATION, id, "sendDtmfTones", StatusCode::OK).with_body(body))
}

/// Mutes the application on the server, in group calls: `200`. Repeatable.
pub fn mute(id: &CallId, client_context: Option<&str>) -> Operation {
    Ok(marked("call: mute", id, "mute", StatusCode::OK, client_context)?.repeatable())
}

/// Takes the application's mute back: `200`. Repeatable.
pub fn unmute(id: &CallId, client_context: Option<&str>) -> Operation {
    Ok(marked("call: unmute", id, "unmute", StatusCode::OK, client_context)?.repeatable())
}

/// Tells the participants whether the application records (policy-based recording): `200`.
/// To be sent, and to succeed, before anything is recorded. Repeatable.
pub fn update_recording_status(id: &CallId, body: &UpdateRecordingStatusRequest) -> Operation {
    const OPERATION: &str = "call: updateRecordingStatus";
    Check(OPERATION).update_recording_status(body)?;
    let request = action(OPERATION, id, "updateRecordingStatus", StatusCode::OK);
    Ok(request.with_body(body).repeatable())
}

/// Starts or stops sharing the application's screen, in group calls with application-hosted
/// media: `202`. Repeatable.
pub fn change_screen_sharing_role(
    id: &CallId,
    role: ScreenSharingRole,
) -> Result<GraphRequest<()>, InvalidRequest> {
    const OPERATION: &str = "call: changeScreenSharingRole";
    Check(OPERATION).screen_sharing_role(&role)?;
    let body = ChangeScreenSharingRoleRequest {
        role: Some(role),
        ..ChangeScreenSharingRoleRequest::default()
    };
    let request = action(
        OPERATION,
        id,
        "changeScreenSharingRole",
        StatusCode::ACCEPTED,
    );
    Ok(request.with_body(&body).repeatable())
}

/// Adds the picture of many participants at once: `202`. Not repeatable.
pub fn add_large_gallery_view(id: &CallId, client_context: Option<&str>) -> Operation {
    let operation = "call: addLargeGalleryView";
    let name = "addLargeGalleryView";
    marked(operation, id, name, StatusCode::ACCEPTED, client_context)
}
