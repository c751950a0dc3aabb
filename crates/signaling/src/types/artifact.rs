//! What Teams itself has kept of calls and meetings: recordings and transcripts, by reference.

use super::identity::IdentitySet;
use super::object::{Redacted, graph_object};

graph_object! {
    /// A recording (`callRecording`).
    pub struct CallRecording as "#microsoft.graph.callRecording" {
        /// The recording's id; read-only.
        pub id: String,
        /// The call recorded.
        pub call_id: String,
        /// The recording itself, as Base64, where Graph sends it.
        pub content: Redacted,
        /// Links it to its transcript.
        pub content_correlation_id: String,
        /// When it was begun; read-only.
        pub created_date_time: String,
        /// When it was ended; read-only.
        pub end_date_time: String,
        /// The meeting recorded.
        pub meeting_id: String,
        /// Who organized it.
        pub meeting_organizer: IdentitySet,
        /// Where the recording is. Never an address to call.
        pub recording_content_url: Redacted,
    }
}

graph_object! {
    /// A transcript (`callTranscript`).
    pub struct CallTranscript as "#microsoft.graph.callTranscript" {
        /// The transcript's id; read-only.
        pub id: String,
        /// The call transcribed.
        pub call_id: String,
        /// The transcript itself, as Base64, where Graph sends it.
        pub content: Redacted,
        /// Links it to its recording.
        pub content_correlation_id: String,
        /// When it was begun; read-only.
        pub created_date_time: String,
        /// When it was ended; read-only.
        pub end_date_time: String,
        /// The meeting transcribed.
        pub meeting_id: String,
        /// Who organized it.
        pub meeting_organizer: IdentitySet,
        /// The times of its utterances, as Base64, where Graph sends them.
        pub metadata_content: Redacted,
        /// Where the transcript is. Never an address to call.
        pub transcript_content_url: Redacted,
    }
}

graph_object! {
    /// A call that no meeting was planned for (`adhocCall`).
    pub struct AdhocCall as "#microsoft.graph.adhocCall" {
        /// The call's id; read-only.
        pub id: String,
        /// Its recordings, when expanded.
        pub recordings: Vec<CallRecording>,
        /// Its transcripts, when expanded.
        pub transcripts: Vec<CallTranscript>,
    }
}
