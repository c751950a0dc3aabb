//! Ids that become part of a request's path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that can't be an id.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not {what}: {rule}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
}

/// Declares an id that is safe to be joined to a path, since it holds nothing but the
/// characters of its rule.
macro_rules! graph_id {
    ($($(#[$meta:meta])* $name:ident = $what:literal, $rule:ident;)*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $name(String);

            impl $name {
                /// The id as text.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl FromStr for $name {
                type Err = InvalidId;

                fn from_str(text: &str) -> Result<Self, InvalidId> {
                    Self::try_from(text.to_owned())
                }
            }

            impl TryFrom<String> for $name {
                type Error = InvalidId;

                fn try_from(text: String) -> Result<Self, InvalidId> {
                    if ($rule.allows)(&text) {
                        Ok(Self(text))
                    } else {
                        Err(InvalidId { what: $what, rule: $rule.text })
                    }
                }
            }

            impl From<$name> for String {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl AsRef<str> for $name {
                fn as_ref(&self) -> &str {
                    &self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )*
    };
}

struct Rule {
    allows: fn(&str) -> bool,
    text: &'static str,
}

const PLAIN: Rule = Rule {
    allows: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=128).contains(&text.len()) && text.bytes().all(allowed)
    },
    text: "1 to 128 letters, digits, '-' or '_' are allowed",
};

/// What a path segment may hold unescaped (`pchar`, RFC 3986 §3.3), without quotes and
/// parentheses, which OData gives a meaning.
const SEGMENT: Rule = Rule {
    allows: |text| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~:@=+!$*,;".contains(&byte);
        let dots = text.bytes().all(|byte| byte == b'.');
        (1..=1024).contains(&text.len()) && text.bytes().all(allowed) && !dots
    },
    text: "1 to 1024 letters, digits and '-_.~:@=+!$*,;' are allowed, and not dots alone",
};

graph_id! {
    /// The id of a call, safe to be joined to a path.
    ///
    /// One to 128 characters of `A–Z a–z 0–9 - _`, which covers Graph's GUIDs with and without
    /// hyphens and leaves no room for `/`, `..`, `?` or an escape.
    CallId = "a call id", PLAIN;
    /// The id of a participant in a call.
    ParticipantId = "a participant id", PLAIN;
    /// The id of an operation on a call.
    OperationId = "an operation id", PLAIN;
    /// The id of a content sharing session.
    SharingSessionId = "a content sharing session id", PLAIN;
    /// The id of an audio routing group.
    RoutingGroupId = "an audio routing group id", PLAIN;
    /// The object id of a user, or a user principal name.
    UserId = "a user id", SEGMENT;
    /// The id of an online meeting.
    MeetingId = "a meeting id", SEGMENT;
    /// The id of a meeting's attendance report.
    ReportId = "an attendance report id", SEGMENT;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_path_segment() {
        for good in ["57dab8b1-894c-409a-b240-bd8beae78896", "F7D9EF30", "a_b"] {
            assert!(good.parse::<CallId>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a/b",
            "a?b",
            "a%2f",
            "a b",
            "a.b",
            &"a".repeat(129),
        ] {
            assert!(bad.parse::<CallId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn users_and_meetings_have_wider_ids() {
        for good in [
            "fa8bf3dc-eca7-46b7-bad1-db199b62afc3",
            "megan@contoso.com",
            "MSpkYzE3Njc0Yy04MWQ5LTRhZGItYmZi==",
            "112f7296_19:cbee7c1c860e465f@thread.skype",
        ] {
            assert!(good.parse::<MeetingId>().is_ok(), "{good}");
            assert!(good.parse::<UserId>().is_ok(), "{good}");
        }
        for bad in [
            "", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a\\b", "a'b", "a(b)", "ä",
        ] {
            assert!(bad.parse::<MeetingId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_error_says_what_is_allowed() {
        let error = "a/b".parse::<ParticipantId>().unwrap_err().to_string();
        assert_eq!(
            error,
            "not a participant id: 1 to 128 letters, digits, '-' or '_' are allowed"
        );
    }
}
