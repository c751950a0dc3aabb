//! Lists that come in pages, and what may stand in a query.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use url::Url;

use super::GraphRequest;
use crate::types::Page;

/// The address of a next page leads elsewhere than to the configured Graph; it isn't followed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{operation}: the next page is said to be elsewhere than below {base}; it isn't fetched")]
pub struct ForeignLink {
    /// The operation.
    pub operation: &'static str,
    /// The configured base address.
    pub base: String,
}

impl<T: DeserializeOwned> GraphRequest<Page<T>> {
    /// The request for the page after `page`; `None` if that was the last.
    ///
    /// `base` is the configured base address. The link must have its origin and lie below its
    /// path: the token goes along.
    pub fn next_page(&self, page: &Page<T>, base: &Url) -> Result<Option<Self>, ForeignLink> {
        let Some(link) = &page.next_link else {
            return Ok(None);
        };
        let (path, query) = below(base, link).ok_or_else(|| ForeignLink {
            operation: self.operation,
            base: base.to_string(),
        })?;
        let mut next = Self::new(self.operation, self.method.clone(), path, self.expected);
        next.query = query;
        next.repeatable = self.repeatable;
        Ok(Some(next))
    }
}

fn below(base: &Url, link: &str) -> Option<(String, Option<String>)> {
    let url = Url::parse(link).ok()?;
    let userinfo = !url.username().is_empty() || url.password().is_some();
    if url.origin() != base.origin() || userinfo || url.fragment().is_some() {
        return None;
    }
    let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    // `url` has resolved dots, escaped ones too; an escaped slash would still be one to Graph.
    let plain = path.starts_with('/') && !path.to_ascii_lowercase().contains("%2f");
    plain.then(|| (path.to_owned(), url.query().map(str::to_owned)))
}

/// Escapes everything but the unreserved characters (RFC 3986 §2.3).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            // Writing to a string can't fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// `$filter={property} eq '{text}'`: a quote in the text is doubled, then all is escaped.
pub(super) fn filter(property: &str, text: &str) -> String {
    let text = escaped(&text.replace('\'', "''"));
    format!("$filter={property}%20eq%20'{text}'")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::{Method, StatusCode};
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Extra, Participant};

    fn next(link: &str) -> Result<Option<GraphRequest<Page<Participant>>>, ForeignLink> {
        let page = Page {
            value: Vec::new(),
            next_link: Some(link.to_owned()),
            delta_link: None,
            extra: Extra::default(),
        };
        let request = GraphRequest::new("list", Method::GET, "/x", StatusCode::OK);
        let base = "https://graph.microsoft.com/v1.0".parse().unwrap();
        request.next_page(&page, &base)
    }

    #[test]
    fn a_next_page_on_graph_is_followed() {
        let link = "https://graph.microsoft.com/v1.0/communications/calls('1')/participants?$skiptoken=a%2Fb";
        let request = next(link).unwrap().unwrap();
        assert_eq!(request.path, "/communications/calls('1')/participants");
        assert_eq!(request.query.as_deref(), Some("$skiptoken=a%2Fb"));
    }

    #[test]
    fn a_next_page_elsewhere_is_not() {
        for link in [
            "https://evil.example/v1.0/communications/calls",
            "http://graph.microsoft.com/v1.0/communications/calls",
            "https://graph.microsoft.com:444/v1.0/communications/calls",
            "https://graph.microsoft.com@evil.example/v1.0/x",
            "https://me:secret@graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com/beta/x",
            "https://graph.microsoft.com/v1.0/../beta/x",
            "https://graph.microsoft.com/v1.0/%2e%2e/beta/x",
            "https://graph.microsoft.com/v1.0/..%2fbeta/x",
            "https://graph.microsoft.com/v1.0evil/x",
            "https://graph.microsoft.com/v1.0/x#y",
            "/v1.0/communications/calls",
            "",
        ] {
            assert!(next(link).is_err(), "{link}");
        }
    }

    #[test]
    fn a_text_in_a_filter_stays_a_text() {
        assert_eq!(
            filter("JoinWebUrl", "https://x/?a=b&c='d'"),
            "$filter=JoinWebUrl%20eq%20'https%3A%2F%2Fx%2F%3Fa%3Db%26c%3D%27%27d%27%27'"
        );
    }

    proptest! {
        /// However a link is made up, what comes of it stays below the base.
        #[test]
        fn no_link_leads_out(link in prop_oneof![
            "\\PC{0,60}",
            "https://graph\\.microsoft\\.com/v1\\.0[a-z./%2eEfF?#@:\\\\]{0,40}",
        ]) {
            if let Ok(Some(request)) = next(&link) {
                let mut url: Url = "https://graph.microsoft.com/v1.0".parse().unwrap();
                url.set_path(&format!("/v1.0{}", request.path));
                prop_assert!(url.path().starts_with("/v1.0/"), "{}", url);
                prop_assert!(!url.path().to_ascii_lowercase().contains("%2f"));
            }
        }

        #[test]
        fn an_escaped_text_holds_nothing_special(text in "\\PC{0,40}") {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            prop_assert!(escaped(&text).bytes().all(plain));
        }
    }
}
