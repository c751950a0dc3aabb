//! The body Graph answers errors with.

use super::object::graph_object;

graph_object! {
    /// An error response: `{"error": {…}}`.
    pub struct GraphErrorBody {
        /// The error.
        pub error: ErrorDetail,
    }
}

graph_object! {
    /// What went wrong.
    pub struct ErrorDetail {
        /// A code for programs, for example `UnknownError` or `7505`.
        pub code: String,
        /// A message for people.
        pub message: String,
        /// The part of the request at fault.
        pub target: String,
        /// Further errors.
        pub details: Vec<ErrorDetail>,
        /// Ids for support, and finer codes.
        #[serde(alias = "innererror")]
        pub inner_error: InnerError,
    }
}

graph_object! {
    /// Ids that let Microsoft's support find the request.
    pub struct InnerError {
        /// A finer code.
        pub code: String,
        /// When, ISO 8601.
        pub date: String,
        /// Graph's id of the request.
        #[serde(rename = "request-id")]
        pub request_id: String,
        /// The client's id of the request.
        #[serde(rename = "client-request-id")]
        pub client_request_id: String,
        /// A still finer error.
        #[serde(alias = "innererror")]
        pub inner_error: Box<InnerError>,
    }
}

impl GraphErrorBody {
    /// An error with a code and a message.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let detail = ErrorDetail {
            code: Some(code.into()),
            message: Some(message.into()),
            ..ErrorDetail::default()
        };
        Self {
            error: Some(detail),
            ..Self::default()
        }
    }
}
