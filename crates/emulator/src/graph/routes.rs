//! `/v1.0/communications/calls…`, and `/v1.0/app/calls…`, its former name.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use switchboard_signaling::types::{Call, CommsOperation, LogTeleconferenceDeviceQualityRequest};

use super::asked::{for_call, lacks};
use super::oversee::authorize;
use super::refuse::{Ids, refuse};
use super::{meetings, presence, shape};
use crate::cloud::{Fault, Operation, Reply};
use crate::identity::Access;
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
        .merge(presence::router())
        .route("/v1.0/{*rest}", any(unknown))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(hub), authorize))
}

async fn unknown(Extension(ids): Extension<Ids>, request: Request) -> Response {
    let segment = request.uri().path().rsplit('/').next().unwrap_or_default();
    let segment: String = segment.chars().take(64).collect();
    let message = format!("Resource not found for the segment '{segment}'.");
    refuse(
        &Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message),
        &ids,
    )
}

async fn not_allowed(Extension(ids): Extension<Ids>, method: Method) -> Response {
    let message = format!("The method {method} is not supported on this resource.");
    let fault = Fault::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
    refuse(&fault, &ids)
}

async fn create(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let created = Payload::new(&hub, "create", &headers, body)
        .read::<Call>()
        .and_then(|call| lacks(&for_call(&call), &access).map_or(Ok(call), Err))
        .and_then(|call| hub.apply(|cloud, now| cloud.create(&access.app, call, now)));
    reply(&hub, "", created, &ids)
}

async fn read(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::Get))
}

async fn hang_up(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::Delete))
}

async fn read_operation(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, operation)): Path<(String, String)>,
) -> Response {
    operate(
        &hub,
        &access,
        &ids,
        &call,
        Ok(Operation::Progress(operation)),
    )
}

async fn list_operations(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::ListOperations))
}

async fn list_participants(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::ListParticipants))
}

async fn read_participant(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, participant)): Path<(String, String)>,
) -> Response {
    let operation = Ok(Operation::GetParticipant(participant));
    operate(&hub, &access, &ids, &call, operation)
}

async fn delete_participant(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, participant)): Path<(String, String)>,
) -> Response {
    let operation = Ok(Operation::DeleteParticipant(participant));
    operate(&hub, &access, &ids, &call, operation)
}

async fn invite(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let payload = Payload::new(&hub, "invite", &headers, body);
    operate(
        &hub,
        &access,
        &ids,
        &call,
        payload.read().map(Operation::Invite),
    )
}

async fn list_sharing(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::ListSharing))
}

async fn read_sharing(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, session)): Path<(String, String)>,
) -> Response {
    operate(
        &hub,
        &access,
        &ids,
        &call,
        Ok(Operation::GetSharing(session)),
    )
}

async fn list_routes(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::ListRoutes))
}

async fn read_route(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, route)): Path<(String, String)>,
) -> Response {
    operate(&hub, &access, &ids, &call, Ok(Operation::GetRoute(route)))
}

async fn create_route(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path(call): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let payload = Payload::new(&hub, "audioRoutingGroup", &headers, body);
    operate(
        &hub,
        &access,
        &ids,
        &call,
        payload.read().map(Operation::CreateRoute),
    )
}

async fn update_route(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, route)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let payload = Payload::new(&hub, "audioRoutingGroup", &headers, body);
    operate(
        &hub,
        &access,
        &ids,
        &call,
        payload
            .read()
            .map(|changes| Operation::UpdateRoute(route, changes)),
    )
}

async fn delete_route(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, route)): Path<(String, String)>,
) -> Response {
    operate(
        &hub,
        &access,
        &ids,
        &call,
        Ok(Operation::DeleteRoute(route)),
    )
}

/// What a gateway measured is read, and not kept.
async fn log_quality(
    State(hub): State<Arc<Hub>>,
    Extension(ids): Extension<Ids>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let payload = Payload::new(&hub, "logTeleconferenceDeviceQuality", &headers, body);
    let read = payload.read::<LogTeleconferenceDeviceQualityRequest>();
    let read = read.and_then(|request| match request.quality {
        Some(_) => Ok(Reply::NoContent),
        None => Err(Fault::property("quality", "it is what is logged")),
    });
    reply(&hub, "", read, &ids)
}

async fn act_on_participant(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, participant, action)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(&action);
    let body = Payload::new(&hub, action, &headers, body);
    let operation = match action {
        "mute" => body
            .optional()
            .map(|request| Operation::MuteParticipant(participant, request)),
        "startHoldMusic" => body
            .optional()
            .map(|request| Operation::StartHoldMusic(participant, Box::new(request))),
        "stopHoldMusic" => body
            .optional()
            .map(|request| Operation::StopHoldMusic(participant, request)),
        other => Err(no_segment(other)),
    };
    operate(&hub, &access, &ids, &call, operation)
}

async fn act(
    State(hub): State<Arc<Hub>>,
    Extension(access): Extension<Access>,
    Extension(ids): Extension<Ids>,
    Path((call, action)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let action = action.strip_prefix("microsoft.graph.").unwrap_or(&action);
    let operation = parse_action(action, Payload::new(&hub, action, &headers, body));
    operate(&hub, &access, &ids, &call, operation)
}

fn operate(
    hub: &Arc<Hub>,
    access: &Access,
    ids: &Ids,
    call: &str,
    operation: Result<Operation, Fault>,
) -> Response {
    let done = operation.and_then(|operation| {
        hub.apply(|cloud, now| cloud.operate(&access.app, call, operation, now))
    });
    reply(hub, call, done, ids)
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

fn no_segment(segment: &str) -> Fault {
    let segment: String = segment.chars().take(64).collect();
    bad(format!("Resource not found for the segment '{segment}'."))
}

/// A request's body with what is needed to judge it.
pub(super) struct Payload<'a> {
    operation: &'a str,
    lenient: bool,
    headers: &'a HeaderMap,
    body: Result<Bytes, BytesRejection>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(
        hub: &Hub,
        operation: &'a str,
        headers: &'a HeaderMap,
        body: Result<Bytes, BytesRejection>,
    ) -> Self {
        Self {
            operation,
            lenient: hub.is_lenient(),
            headers,
            body,
        }
    }

    /// A body that may be left out.
    fn optional<T: DeserializeOwned + Default>(self) -> Result<T, Fault> {
        match &self.body {
            Ok(body) if body.is_empty() => Ok(T::default()),
            _ => self.read(),
        }
    }

    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let body = self.body.map_err(|rejection| {
            let message = "The request's body is larger than 256 KiB or was cut short.";
            Fault::new(rejection.status(), "RequestEntityTooLarge", message)
        })?;
        let unreadable = || {
            bad(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )
        };
        if !is_json(self.headers) {
            return Err(unreadable());
        }
        let value: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
        if !value.is_object() {
            return Err(unreadable());
        }
        if !self.lenient {
            shape::check(self.operation, &value)?;
        }
        // serde's own text may quote the value, which may hold a media token.
        T::deserialize(value).map_err(|_| bad("A property of the request has the wrong type."))
    }
}

pub(super) fn bad(message: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
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
