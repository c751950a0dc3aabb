//! A small page for people: live calls, reminders, health.
//!
//! It is a client of the API like any other. The key is typed in and held by the page's own
//! script: there is no cookie, so nothing another site can make the browser send (no CSRF).
//! It is served under names that are known only: a foreign name that resolves to this
//! address (DNS rebinding) gets `421`, not a page that asks for a key.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, StatusCode, Uri};

use crate::api::Problem;

/// Same-origin scripts, styles and requests; no inline code, no framing, no strings made
/// into scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Path, type and content of each file.
const FILES: [(&str, &str, &str); 3] = [
    (
        "/admin/",
        "text/html; charset=utf-8",
        include_str!("../page/index.html"),
    ),
    (
        "/admin/admin.js",
        "text/javascript; charset=utf-8",
        include_str!("../page/admin.js"),
    ),
    (
        "/admin/style.css",
        "text/css; charset=utf-8",
        include_str!("../page/style.css"),
    ),
];

/// The page, below `/admin/`. Besides addresses and `localhost` it is there under the
/// names `hosts` only.
pub fn router(hosts: Vec<String>) -> Router {
    let hosts: Arc<[String]> = hosts.into();
    let router = Router::new().route(
        "/admin",
        // Relative: a proxy may have put a path before it.
        get(|| async { Redirect::permanent("admin/") }),
    );
    FILES.into_iter().fold(router, |router, file| {
        let hosts = Arc::clone(&hosts);
        let answer = move |uri: Uri, headers: HeaderMap| async move {
            match is_known(&uri, &headers, &hosts) {
                true => served(file.1, file.2),
                false => {
                    let detail = "the page isn't served under this name; it must be among \
                                  service.hosts, or an address";
                    Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
                }
            }
        };
        router.route(file.0, get(answer))
    })
}

fn served(kind: &'static str, content: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    (headers, content).into_response()
}

/// Whether the request is for a name of ours. An address can't be rebound: nobody else's
/// page is at it.
fn is_known(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> bool {
    let mut given = headers.get_all(HOST).iter();
    let header = given.next().map(|host| host.to_str().unwrap_or_default());
    let host = match (header, given.next()) {
        (Some(host), None) => host,
        (None, _) => uri.authority().map_or("", |authority| authority.as_str()),
        (Some(_), Some(_)) => return false,
    };
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let name = authority.host().trim_end_matches('.');
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
