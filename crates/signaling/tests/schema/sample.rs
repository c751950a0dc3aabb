//! Values that the schema allows, and some it doesn't.

use serde_json::{Map, Value, json};

use crate::facts::{Member, Schema};

pub(crate) const GUID: &str = "0622673d-9f69-49b3-9d4f-5ec64f42ecce";
/// A member that no enumeration has yet.
pub(crate) const FUTURE: &str = "fromTheFuture";

impl Schema {
    /// A value of a kind; objects have all their properties down to `depth`.
    pub(crate) fn sample(&self, kind: &str, depth: usize) -> Value {
        if let Some(item) = kind.strip_prefix('[') {
            return json!([self.sample(item.trim_end_matches(']'), depth)]);
        }
        if kind == "operationStatus" {
            // As the documented examples write it; the schema's members have a capital.
            return json!("running");
        }
        if let Some(members) = self.enums.get(kind) {
            // The first is `unknown` here, which is no status one can tell.
            let index = usize::from(kind == "recordingStatus") * 2;
            return json!(members[index]);
        }
        if self.types.contains_key(kind) {
            return self.object(kind, depth);
        }
        match kind {
            "String" | "Stream" => json!("text"),
            "Guid" => json!(GUID),
            "DateTimeOffset" => json!("2026-06-01T10:00:00Z"),
            "Duration" => json!("PT1H"),
            "Boolean" => json!(true),
            "Int32" | "Int64" => json!(20),
            "Double" => json!(0.5),
            // Named by the schema, defined elsewhere; the API reference has them.
            "rejectReason" => json!("busy"),
            "screenSharingRole" => json!("sharer"),
            "virtualAppointmentMessageType" => json!("reschedule"),
            "remindBeforeTimeInMinutesType" => json!("mins15"),
            "attendeeNotificationInfo" => json!({
                "@odata.type": "#microsoft.graph.attendeeNotificationInfo",
                "phoneNumber": "+12345678901", "timeZone": "UTC",
            }),
            "callRecord" => json!({"@odata.type": "#microsoft.graph.callRecords.callRecord"}),
            other => panic!("no sample of {other}"),
        }
    }

    /// An object of a type or, for an abstract one, of its first concrete descendant.
    fn object(&self, kind: &str, depth: usize) -> Value {
        let concrete = self.concrete(kind);
        let first = concrete.first().copied().unwrap_or(kind);
        let of = if self.types[kind].is_abstract {
            first
        } else {
            kind
        };
        self.object_of(of, depth)
    }

    pub(crate) fn object_of(&self, of: &str, depth: usize) -> Value {
        let mut object = Map::new();
        object.insert(
            "@odata.type".to_owned(),
            json!(format!("#microsoft.graph.{of}")),
        );
        if depth > 0 {
            object.extend(self.members(&self.properties(of), depth - 1));
        }
        Value::Object(object)
    }

    /// A value for each member.
    pub(crate) fn members(&self, members: &[Member], depth: usize) -> Map<String, Value> {
        let value = |(name, kind): &Member| match name.as_str() {
            "uri" | "callbackUri" => json!("https://bot.example/a.wav"),
            "availability" | "activity" => json!("Available"),
            "stopTones" => json!(["1", "#"]),
            _ => self.sample(kind, depth),
        };
        members
            .iter()
            .map(|member| (member.0.clone(), value(member)))
            .collect()
    }

    /// A value of quite another kind.
    pub(crate) fn wrong(&self, kind: &str) -> Value {
        let scalar = !kind.starts_with('[') && self.sample(kind, 0).as_object().is_none();
        if scalar {
            json!({"a": [1]})
        } else {
            json!("text")
        }
    }
}

/// The same value with a property more in each object.
pub(crate) fn with_new_properties(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_new_properties).collect(),
        Value::Object(members) => {
            let each = members
                .iter()
                .map(|(name, value)| (name.clone(), with_new_properties(value)));
            let new = [("newProperty".to_owned(), json!({"deep": [1, "x", null]}))];
            Value::Object(each.chain(new).collect())
        }
        other => other.clone(),
    }
}
