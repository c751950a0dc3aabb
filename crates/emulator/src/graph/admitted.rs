//! A request to Graph that was let in, with all that answering it takes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, ExtensionRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, Method, Uri, header};
use axum::{Extension, RequestExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refuse::{Ids, bad};
use super::{rules, shape};
use crate::cloud::Fault;
use crate::identity::Access;
use crate::shell::Hub;

/// What `oversee` let through to a handler.
pub(super) struct Admitted {
    pub(super) hub: Arc<Hub>,
    pub(super) access: Access,
    pub(super) ids: Ids,
    pub(super) method: Method,
    pub(super) uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
}

impl FromRequest<Arc<Hub>> for Admitted {
    type Rejection = ExtensionRejection;

    async fn from_request(request: Request, hub: &Arc<Hub>) -> Result<Self, ExtensionRejection> {
        let (mut parts, body) = request.into_parts();
        let Extension(access) = Extension::from_request_parts(&mut parts, hub).await?;
        let Extension(ids) = Extension::from_request_parts(&mut parts, hub).await?;
        Ok(Self {
            hub: Arc::clone(hub),
            access,
            ids,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            body: Request::from_parts(parts, body).extract().await,
        })
    }
}

impl Admitted {
    /// The body, to be read as what `operation` takes.
    pub(super) fn body<'a>(&'a self, operation: &'a str) -> Payload<'a> {
        Payload {
            operation,
            lenient: self.hub.is_lenient(),
            is_json: is_json(&self.headers),
            body: self.body.as_ref(),
        }
    }
}

/// A request's body with what is needed to judge it.
pub(super) struct Payload<'a> {
    operation: &'a str,
    lenient: bool,
    is_json: bool,
    body: Result<&'a Bytes, &'a BytesRejection>,
}

impl Payload<'_> {
    /// A body that may be left out.
    pub(super) fn optional<T: DeserializeOwned + Default>(self) -> Result<T, Fault> {
        match self.body {
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
        if !self.is_json {
            return Err(unreadable());
        }
        let value: Value = serde_json::from_slice(body).map_err(|_| unreadable())?;
        if !value.is_object() {
            return Err(unreadable());
        }
        if !self.lenient {
            shape::check(self.operation, &value)?;
            rules::check(self.operation, &value)?;
        }
        serde_path_to_error::deserialize(value).map_err(|error| wrong_type(error.path()))
    }
}

/// serde's own text may quote the value, which may hold a media token.
fn wrong_type(path: &serde_path_to_error::Path) -> Fault {
    let steps = path.iter().map(ToString::to_string);
    let target = steps.collect::<Vec<_>>().join("/").replace(['[', ']'], "");
    match target.is_empty() {
        true => bad("A property of the request has the wrong type."),
        false => Fault {
            target: Some(target),
            ..bad("The property has the wrong type.")
        },
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}
