//! Texts and times that several resources share.

use super::object::{graph_enum, graph_enum_shown, graph_object};

graph_enum! {
    /// How a text is written (`bodyType`). Some documented examples spell it with a capital.
    pub enum BodyType {
        /// Plain.
        Text = "text" | "Text",
        /// HTML.
        Html = "html" | "Html",
    }
}

graph_enum_shown!(BodyType);

graph_object! {
    /// A text and how it is written (`itemBody`).
    pub struct ItemBody as "#microsoft.graph.itemBody" {
        /// The text.
        pub content: String,
        /// How it is written.
        pub content_type: BodyType,
    }
}

graph_object! {
    /// A date and time in a time zone (`dateTimeTimeZone`).
    pub struct DateTimeTimeZone as "#microsoft.graph.dateTimeTimeZone" {
        /// Date and time, ISO 8601 without an offset.
        pub date_time: String,
        /// The zone, for example `UTC` or `Pacific Standard Time`.
        pub time_zone: String,
    }
}
