//! `/v1.0/communications/calls…`, and `/v1.0/app/calls…`, its former name.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request};
use axum::http::{Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use serde::Serialize;
use serde_json::json;
use switchboard_signaling::types::{Call, CommsOperation, LogTeleconferenceDeviceQualityRequest};

use super::admitted::{Admitted, Payload};
use super::asked::{for_call, lacks};
use super::oversee::authorize;
use super::refuse::{Ids, no_method, no_segment, refuse};
use super::{artifacts, meetings, presence};
use crate::cloud::{Cloud, Fault, Operation, Reply};
use crate::shell::Hub;

/// Graph's requests for calls are far smaller.
const MAX_BODY: usize = 256 * 1024;

/// Graph's calling operations; whatever else is asked for below `/v1.0` is unknown
/// in Graph's words.
pub(crate) fn router(hub: &Arc<Hub>) -> Router<Arc<Hub>> {
    let calls = Router::new()
        .route("/", post(create))
        .route("/{call}", get(read).delete(hang_up))
        .route("/{call}/operations", get(list_operations))
        .route("/{call}/operations/{operation}", get(read_operation))
        .route("/{call}/participants", get(list_participants))
        .route("/{call}/participants/invite", post(invite))
        .route(
            "/{call}/participants/{participant}",
            get(read_participant).delete(delete_participant),
        )
        .route(
            "/{call}/participants/{participant}/{action}",
            post(act_on_participant),
        )
        .route("/logTeleconferenceDeviceQuality", post(log_quality))
        .route("/{call}/contentSharingSessions", get(list_sharing))
        .route(
            "/{call}/contentSharingSessions/{session}",
            get(read_sharing),
        )
        .route(
            "/{call}/audioRoutingGroups",
            get(list_routes).post(create_route),
        )
        .route(
            "/{call}/audioRoutingGroups/{route}",
            get(read_route).patch(update_route).delete(delete_route),
        )
        .route("/{call}/{action}", post(act))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed);
    Router::new()
        .nest("/v1.0/communications/calls", calls.clone())
        .nest("/v1.0/app/calls", calls)
        .merge(meetings::router())
        .merge(artifacts::router())
        .merge(presence::router())
        .route("/v1.0/{*rest}", any(unknown))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(hub), authorize))
}

async fn unknown(Extension(ids): Extension<Ids>, request: Request) -> Response {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    refuse(&no_segment(segment), &ids)
}

async fn not_allowed(Extension(ids): Extension<Ids>, method: Method) -> Response {
    refuse(&no_method(&method), &ids)
}

async fn create(admitted: Admitted) -> Response {
    let created = admitted
        .body("create")
        .read::<Call>()
        .and_then(|call| {
            let lacking = || lacks(&for_call(&call), &admitted.access);
            let lacking = (!admitted.hub.is_lenient()).then(lacking).flatten();
            lacking.map_or(Ok(call), Err)
        })
        .and_then(|call| {
            let create = |cloud: &mut Cloud, now| cloud.create(&admitted.access.app, call, now);
            admitted.hub.apply(create)
        });
    reply(&admitted.hub, "", created, &admitted.ids)
}

async fn read(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::Get))
}

async fn hang_up(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::Delete))
}

async fn read_operation(Path((call, id)): Path<(String, String)>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::Progress(id)))
}

async fn list_operations(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::ListOperations))
}

async fn list_participants(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::ListParticipants))
}

async fn read_participant(
    Path((call, id)): Path<(String, String)>,
    admitted: Admitted,
) -> Response {
    operate(&admitted, &call, Ok(Operation::GetParticipant(id)))
}

async fn delete_participant(
    Path((call, id)): Path<(String, String)>,
    admitted: Admitted,
) -> Response {
    operate(&admitted, &call, Ok(Operation::DeleteParticipant(id)))
}

async fn invite(Path(call): Path<String>, admitted: Admitted) -> Response {
    let invitation = admitted.body("invite").read();
    operate(&admitted, &call, invitation.map(Operation::Invite))
}

async fn list_sharing(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::ListSharing))
}

async fn read_sharing(Path((call, id)): Path<(String, String)>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::GetSharing(id)))
}

async fn list_routes(Path(call): Path<String>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::ListRoutes))
}

async fn read_route(Path((call, id)): Path<(String, String)>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::GetRoute(id)))
}

async fn create_route(Path(call): Path<String>, admitted: Admitted) -> Response {
    let route = admitted.body("audioRoutingGroup").read();
    operate(&admitted, &call, route.map(Operation::CreateRoute))
}

async fn update_route(Path((call, id)): Path<(String, String)>, admitted: Admitted) -> Response {
    let changes = admitted.body("audioRoutingGroup").read();
    let update = changes.map(|changes| Operation::UpdateRoute(id, changes));
    operate(&admitted, &call, update)
}

async fn delete_route(Path((call, id)): Path<(String, String)>, admitted: Admitted) -> Response {
    operate(&admitted, &call, Ok(Operation::DeleteRoute(id)))
}

/// What a gateway measured is read, and not kept.
async fn log_quality(admitted: Admitted) -> Response {
    let body = admitted.body("logTeleconferenceDeviceQuality");
    let read = body.read::<LogTeleconferenceDeviceQualityRequest>();
    let read = read.and_then(|request| match request.quality {
        Some(_) => Ok(Reply::Done),
        None => Err(Fault::property("quality", "it is what is logged")),
    });
    reply(&admitted.hub, "", read, &admitted.ids)
}

async fn act_on_participant(
    Path((call, id, action)): Path<(String, String, String)>,
    admitted: Admitted,
) -> Response {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(&action);
    let body = admitted.body(action);
    let operation = match action {
        "mute" => body
            .optional()
            .map(|request| Operation::MuteParticipant(id, request)),
        "startHoldMusic" => body
            .optional()
            .map(|request| Operation::StartHoldMusic(id, Box::new(request))),
        "stopHoldMusic" => body
            .optional()
            .map(|request| Operation::StopHoldMusic(id, request)),
        other => Err(no_segment(other)),
    };
    operate(&admitted, &call, operation)
}

async fn act(Path((call, action)): Path<(String, String)>, admitted: Admitted) -> Response {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(&action);
    let operation = parse_action(action, admitted.body(action));
    operate(&admitted, &call, operation)
}

fn operate(admitted: &Admitted, call: &str, operation: Result<Operation, Fault>) -> Response {
    let done = operation.and_then(|operation| {
        let app = &admitted.access.app;
        admitted
            .hub
            .apply(|cloud, now| cloud.operate(app, call, operation, now))
    });
    reply(&admitted.hub, call, done, &admitted.ids)
}

/// An action with its body. Names may be qualified, as OData allows.
fn parse_action(action: &str, body: Payload<'_>) -> Result<Operation, Fault> {
    Ok(match action {
        "answer" => Operation::Answer(Box::new(body.read()?)),
        "reject" => Operation::Reject(body.read()?),
        "redirect" => Operation::Redirect(body.read()?),
        "transfer" => Operation::Transfer(body.read()?),
        "keepAlive" => Operation::KeepAlive,
        "mute" => Operation::Mute(body.optional()?),
        "unmute" => Operation::Unmute(body.optional()?),
        "playPrompt" => Operation::PlayPrompt(body.read()?),
        "changeScreenSharingRole" => Operation::ChangeScreenSharingRole(body.read()?),
        "addLargeGalleryView" => Operation::AddLargeGalleryView(body.optional()?),
        "recordResponse" => Operation::RecordResponse(body.read()?),
        "subscribeToTone" => Operation::SubscribeToTone(body.optional()?),
        "cancelMediaProcessing" => Operation::CancelMediaProcessing(body.optional()?),
        "updateRecordingStatus" => Operation::UpdateRecordingStatus(body.read()?),
        "sendDtmfTones" => Operation::SendDtmfTones(body.read()?),
        other => return Err(no_segment(other)),
    })
}

fn reply(hub: &Hub, call: &str, reply: Result<Reply, Fault>, ids: &Ids) -> Response {
    let calls = "v1.0/communications/calls";
    match reply {
        Ok(Reply::Accepted) => StatusCode::ACCEPTED.into_response(),
        Ok(Reply::NoContent) => StatusCode::NO_CONTENT.into_response(),
        Ok(Reply::Done) => StatusCode::OK.into_response(),
        Ok(Reply::Call(call)) => Json(call).into_response(),
        Ok(Reply::Created(call)) => {
            let id = call.id.as_deref().unwrap_or_default();
            let location = hub.address(&format!("{calls}/{id}"));
            (
                StatusCode::CREATED,
                [(header::LOCATION, location)],
                Json(call),
            )
                .into_response()
        }
        Ok(Reply::Operation(operation)) => begun(hub, call, StatusCode::OK, &operation),
        Ok(Reply::AcceptedOperation(operation)) => {
            begun(hub, call, StatusCode::ACCEPTED, &operation)
        }
        Ok(Reply::Operations(operations)) => list("operations", call, &operations),
        Ok(Reply::Participants(participants)) => list("participants", call, &participants),
        Ok(Reply::Object(object)) => Json(object).into_response(),
        Ok(Reply::List(what, items)) => list(what, call, &items),
        Ok(Reply::Participant(participant)) => Json(participant).into_response(),
        Err(fault) => refuse(&fault, ids),
    }
}

/// An operation, with where it can be read.
fn begun(hub: &Hub, call: &str, status: StatusCode, operation: &CommsOperation) -> Response {
    let id = operation.id.as_deref().unwrap_or_default();
    let path = format!("v1.0/communications/calls/{call}/operations/{id}");
    let location = [(header::LOCATION, hub.address(&path))];
    (status, location, Json(operation)).into_response()
}

/// An OData collection.
fn list(what: &str, call: &str, items: &impl Serialize) -> Response {
    let context =
        format!("https://graph.microsoft.com/v1.0/$metadata#communications/calls('{call}')/{what}");
    Json(json!({"@odata.context": context, "value": items})).into_response()
}
