//! The HTTP client that carries secrets: where it may connect to and how much it reads.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Response, redirect};
use url::{Host, Url};

/// A configured address or name that can't be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not an address that secrets may be sent to.
    #[error("{field} is {value}: it must be https, or http on a loopback address")]
    InsecureUrl {
        /// The setting.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// Not an address at all.
    #[error("{field} is not a base URL such as {example}")]
    NotAUrl {
        /// The setting.
        field: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// Not a tenant.
    #[error(
        "the tenant must be its id or domain name: letters, digits, '-' and '.', at most 253 characters"
    )]
    Tenant,
    /// The HTTP client can't be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
}

/// Whether the host is this machine: a loopback address or `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// `https`, or `http` that doesn't leave this machine.
pub(crate) fn is_protected(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Parses a base address, without a trailing slash.
pub(crate) fn base_url(
    field: &'static str,
    text: &str,
    example: &'static str,
) -> Result<Url, ConfigError> {
    let url = Url::parse(text.trim_end_matches('/'))
        .ok()
        .filter(|url| url.query().is_none() && url.fragment().is_none() && !has_userinfo(url))
        .ok_or(ConfigError::NotAUrl { field, example })?;
    if is_protected(&url) {
        Ok(url)
    } else {
        let value = url.to_string();
        Err(ConfigError::InsecureUrl { field, value })
    }
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// A client that follows no redirect, since it would take the token along, and that reaches
/// this machine without a proxy.
pub(crate) fn client(
    base: &Url,
    connect_timeout: Duration,
    timeout: Duration,
) -> Result<Client, ConfigError> {
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .timeout(timeout)
        .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")));
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| ConfigError::Client(cause(&error)))
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    TooLarge,
    Broken(reqwest::Error),
}

/// Reads a body of at most `limit` bytes; a longer one is abandoned where the limit is passed.
pub(crate) async fn read_limited(
    mut response: Response,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return Err(ReadError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(ReadError::Broken)? {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause of an error: the outer ones would repeat the URL.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut inner = error.source();
    while let Some(next) = inner.and_then(std::error::Error::source) {
        inner = Some(next);
    }
    inner.map_or_else(|| "no further cause given".to_owned(), ToString::to_string)
}

/// At most `limit` characters of a text from outside, control characters taken out.
pub(crate) fn tidy(text: &str, limit: usize) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(limit)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_https_or_to_this_machine() {
        for good in [
            "https://graph.microsoft.com/v1.0",
            "http://127.0.0.1:8080/v1.0/",
            "http://[::1]:1/v1.0",
            "http://localhost/v1.0",
        ] {
            assert!(base_url("base_url", good, "x").is_ok(), "{good}");
        }
        for bad in [
            "http://graph.microsoft.com/v1.0",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "https://user:secret@graph.microsoft.com",
            "https://graph.microsoft.com/v1.0?x=1",
            "graph.microsoft.com",
            "",
        ] {
            assert!(base_url("base_url", bad, "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn text_from_outside_is_shortened_and_kept_on_one_line() {
        assert_eq!(tidy("a\r\nb\u{1b}[0mc", 6), "ab[0mc");
        assert_eq!(tidy("äöü", 2), "äö");
    }
}
