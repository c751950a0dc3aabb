//! Where a call's media is hosted, and the prompts Graph plays.

use super::enums::MediaState;
use super::object::{Redacted, graph_object, graph_union};

graph_union! {
    /// Where media is handled (`mediaConfig`).
    pub enum MediaConfig {
        /// By the application.
        AppHosted(AppHostedMediaConfig),
        /// By Graph: prompts, recordings and tones through operations.
        ServiceHosted(ServiceHostedMediaConfig),
    }
}

graph_object! {
    /// Media in the application's hands (`appHostedMediaConfig`).
    pub struct AppHostedMediaConfig as "#microsoft.graph.appHostedMediaConfig" {
        /// The media platform's description of its session; it may hold a one-time token.
        pub blob: Redacted,
        /// Whether the application is left out of the default audio routing group, in group
        /// calls.
        pub remove_from_default_audio_group: bool,
    }
}

impl AppHostedMediaConfig {
    /// A configuration with the media session's description.
    pub fn new(blob: impl Into<Redacted>) -> Self {
        Self {
            blob: Some(blob.into()),
            ..Self::default()
        }
    }
}

graph_object! {
    /// Media in Graph's hands (`serviceHostedMediaConfig`).
    pub struct ServiceHostedMediaConfig as "#microsoft.graph.serviceHostedMediaConfig" {
        /// Prompts to fetch ahead.
        pub pre_fetch_media: Vec<MediaInfo>,
    }
}

graph_object! {
    /// A media file by address (`mediaInfo`).
    pub struct MediaInfo as "#microsoft.graph.mediaInfo" {
        /// The file: WAV, mono, 16 bit, 16 kHz.
        pub uri: String,
        /// An id under which Graph caches the file.
        pub resource_id: String,
    }
}

graph_union! {
    /// Something to play (`prompt`).
    pub enum Prompt {
        /// A media file.
        Media(MediaPrompt),
    }
}

graph_object! {
    /// A prompt from a media file (`mediaPrompt`).
    pub struct MediaPrompt as "#microsoft.graph.mediaPrompt" {
        /// The file.
        pub media_info: MediaInfo,
    }
}

impl MediaPrompt {
    /// A prompt for the file at `uri`, cached by Graph under `resource_id`.
    pub fn new(uri: impl Into<String>, resource_id: Option<String>) -> Self {
        let media_info = MediaInfo {
            uri: Some(uri.into()),
            resource_id,
            ..MediaInfo::default()
        };
        Self {
            media_info: Some(media_info),
            ..Self::default()
        }
    }
}

graph_object! {
    /// Which media of a call flow (`callMediaState`).
    pub struct CallMediaState as "#microsoft.graph.callMediaState" {
        /// Sound.
        pub audio: MediaState,
    }
}
