//! How a Graph object is written down in Rust: every documented property optional, everything else kept.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `@odata.type` tag of an object, for example `#microsoft.graph.call`.
pub type ODataType = std::borrow::Cow<'static, str>;

/// Properties of an object that the type doesn't name, as received.
///
/// `Debug` prints the names only: a value may hold a digit, a token or a name.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(pub Map<String, Value>);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A string that must not reach a log: a media blob, a recording's token, a meeting's passcode.
///
/// It is on the wire as any string is; `Debug` prints `Redacted(_)`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

impl Redacted {
    /// The string itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes the string out.
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl From<String> for Redacted {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Redacted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redacted(_)")
    }
}

/// An object whose `@odata.type` is none that the field's type knows; kept whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UnknownObject {
    /// The tag as received.
    #[serde(
        rename = "@odata.type",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub odata_type: Option<ODataType>,
    /// Every other property.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Reads an integer that may stand in quotes: the documented examples have both forms, and
/// OData allows quotes around 64-bit integers.
pub(crate) fn integer<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: TryFrom<i64>,
{
    use serde::de::Error as _;
    let number = match Option::<Value>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    number
        .and_then(|number| T::try_from(number).ok())
        .map(Some)
        .ok_or_else(|| D::Error::custom("an integer in range is needed"))
}

/// The tag without its leading `#`, which Graph writes and some senders leave out.
pub(crate) fn bare_tag(tag: &str) -> &str {
    tag.strip_prefix('#').unwrap_or(tag)
}

/// The `@odata.type` of a JSON object, without `#`; empty if it has none.
pub(crate) fn tag_of(value: &Value) -> &str {
    value
        .get("@odata.type")
        .and_then(Value::as_str)
        .map_or("", bare_tag)
}

/// Declares a Graph object: `Option` is put around each property's type, names go to camelCase,
/// unknown properties are kept in `extra`. With `as "tag"` the object carries an `@odata.type`,
/// which `Default` fills in and deserialising leaves as it was.
macro_rules! graph_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident as $tag:literal {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// The `@odata.type` tag: as received, or this type's own when made by `Default`.
            #[serde(rename = "@odata.type", default, skip_serializing_if = "Option::is_none")]
            pub odata_type: Option<$crate::types::ODataType>,
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// Properties this type doesn't name.
            #[serde(flatten)]
            pub extra: $crate::types::Extra,
        }

        impl $name {
            /// The `@odata.type` tag of this type.
            pub const ODATA_TYPE: &'static str = $tag;
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    odata_type: Some($tag.into()),
                    $($field: None,)*
                    extra: $crate::types::Extra::default(),
                }
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// Properties this type doesn't name.
            #[serde(flatten)]
            pub extra: $crate::types::Extra,
        }
    };
}

/// Declares a Graph enumeration. A member this version doesn't know is kept as `Unknown(text)`.
/// The first name is the one written; names after `|` are read as the same member.
macro_rules! graph_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$member_meta:meta])* $member:ident = $text:literal $(| $alias:literal)*,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$member_meta])* $member,)*
            /// A member that isn't in the list above, as received.
            Unknown(String),
        }

        impl $name {
            /// Every member known here, in the documented order.
            pub const KNOWN: &'static [Self] = &[$(Self::$member,)*];

            /// The member's name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$member => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text $(| $alias)* => Self::$member,)*
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
                Ok(Self::from(text.as_ref()))
            }
        }
    };
}

/// `Debug` and `Display` of an enumeration that may be logged: its name on the wire.
macro_rules! graph_enum_shown {
    ($($name:ident),* $(,)?) => {
        $(
            impl std::fmt::Debug for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(self.as_str())
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(self.as_str())
                }
            }
        )*
    };
}

/// Declares a property that holds one of several object types, told apart by `@odata.type`.
/// An object of another type, or without a tag, is kept whole as `Unknown`.
macro_rules! graph_union {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident($type:ty),)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        // A request or a notification holds one, or a few.
        #[allow(clippy::large_enum_variant)]
        pub enum $name {
            $($(#[$variant_meta])* $variant($type),)*
            /// Another type of object, kept whole.
            Unknown($crate::types::UnknownObject),
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                let value = serde_json::Value::deserialize(deserializer)?;
                let tag = $crate::types::object::tag_of(&value);
                $(
                    if tag == $crate::types::object::bare_tag(<$type>::ODATA_TYPE) {
                        return serde_json::from_value(value).map(Self::$variant).map_err(D::Error::custom);
                    }
                )*
                serde_json::from_value(value).map(Self::Unknown).map_err(D::Error::custom)
            }
        }

        $(
            impl From<$type> for $name {
                fn from(object: $type) -> Self {
                    Self::$variant(object)
                }
            }
        )*
    };
}

pub(crate) use {graph_enum, graph_enum_shown, graph_object, graph_union};
