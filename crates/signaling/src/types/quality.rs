//! What a video conferencing gateway reports of its media (Cloud Video Interop partners).

use super::object::{graph_object, graph_union, integer};

graph_object! {
    /// The quality of one device's call (`teleconferenceDeviceQuality`).
    pub struct TeleconferenceDeviceQuality as "#microsoft.graph.teleconferenceDeviceQuality" {
        /// The id common to all legs of the conversation; a GUID.
        pub call_chain_id: String,
        /// The gateway's deployment.
        pub cloud_service_deployment_environment: String,
        /// The deployment's id.
        pub cloud_service_deployment_id: String,
        /// The instance.
        pub cloud_service_instance_name: String,
        /// The gateway.
        pub cloud_service_name: String,
        /// The device, described.
        pub device_description: String,
        /// The device's name.
        pub device_name: String,
        /// The media leg; a GUID.
        pub media_leg_id: String,
        /// Each kind of media.
        pub media_quality_list: Vec<MediaQuality>,
        /// The participant; a GUID.
        pub participant_id: String,
    }
}

/// Declares the descendants of `teleconferenceDeviceMediaQuality`, which differ by tag and, for
/// pictures, in their own properties.
macro_rules! quality_objects {
    ($($(#[$meta:meta])* pub struct $name:ident as $tag:literal {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    })*) => {
        $(graph_object! {
            $(#[$meta])*
            pub struct $name as $tag {
                /// Mean jitter received; ISO 8601 duration.
                pub average_inbound_jitter: String,
                /// Mean loss received, in percent.
                pub average_inbound_packet_loss_rate_in_percentage: f64,
                /// Mean round trip received; ISO 8601 duration.
                pub average_inbound_round_trip_delay: String,
                /// Mean jitter sent; ISO 8601 duration.
                pub average_outbound_jitter: String,
                /// Mean loss sent, in percent.
                pub average_outbound_packet_loss_rate_in_percentage: f64,
                /// Mean round trip sent; ISO 8601 duration.
                pub average_outbound_round_trip_delay: String,
                /// The channel.
                pub channel_index: i32,
                /// Packets received.
                #[serde(deserialize_with = "integer")]
                pub inbound_packets: i64,
                /// The gateway's address.
                #[serde(rename = "localIPAddress")]
                pub local_ip_address: String,
                /// The gateway's port.
                pub local_port: i32,
                /// Greatest jitter received; ISO 8601 duration.
                pub maximum_inbound_jitter: String,
                /// Greatest loss received, in percent.
                pub maximum_inbound_packet_loss_rate_in_percentage: f64,
                /// Longest round trip received; ISO 8601 duration.
                pub maximum_inbound_round_trip_delay: String,
                /// Greatest jitter sent; ISO 8601 duration.
                pub maximum_outbound_jitter: String,
                /// Greatest loss sent, in percent.
                pub maximum_outbound_packet_loss_rate_in_percentage: f64,
                /// Longest round trip sent; ISO 8601 duration.
                pub maximum_outbound_round_trip_delay: String,
                /// How long media flowed; ISO 8601 duration.
                pub media_duration: String,
                /// The link's speed.
                #[serde(deserialize_with = "integer")]
                pub network_link_speed_in_bytes: i64,
                /// Packets sent.
                #[serde(deserialize_with = "integer")]
                pub outbound_packets: i64,
                /// The device's address.
                #[serde(rename = "remoteIPAddress")]
                pub remote_ip_address: String,
                /// The device's port.
                pub remote_port: i32,
                $($(#[$field_meta])* pub $field: $type,)*
            }
        })*
    };
}

quality_objects! {
    /// The properties every kind of media has (`teleconferenceDeviceMediaQuality`).
    pub struct AnyMediaQuality as "#microsoft.graph.teleconferenceDeviceMediaQuality" {}
    /// Sound (`teleconferenceDeviceAudioQuality`).
    pub struct AudioQuality as "#microsoft.graph.teleconferenceDeviceAudioQuality" {}
    /// Camera video (`teleconferenceDeviceVideoQuality`).
    pub struct VideoQuality as "#microsoft.graph.teleconferenceDeviceVideoQuality" {
        /// Mean bit rate received, bit/s.
        pub average_inbound_bit_rate: f64,
        /// Mean frame rate received, 1/s.
        pub average_inbound_frame_rate: f64,
        /// Mean bit rate sent, bit/s.
        pub average_outbound_bit_rate: f64,
        /// Mean frame rate sent, 1/s.
        pub average_outbound_frame_rate: f64,
    }
    /// Screen sharing (`teleconferenceDeviceScreenSharingQuality`), with video's properties.
    pub struct ScreenSharingQuality as "#microsoft.graph.teleconferenceDeviceScreenSharingQuality" {
        /// Mean bit rate received, bit/s.
        pub average_inbound_bit_rate: f64,
        /// Mean frame rate received, 1/s.
        pub average_inbound_frame_rate: f64,
        /// Mean bit rate sent, bit/s.
        pub average_outbound_bit_rate: f64,
        /// Mean frame rate sent, 1/s.
        pub average_outbound_frame_rate: f64,
    }
}

graph_union! {
    /// One kind of media of a device's call.
    pub enum MediaQuality {
        /// Sound.
        Audio(AudioQuality),
        /// Camera video.
        Video(VideoQuality),
        /// Screen sharing.
        ScreenSharing(ScreenSharingQuality),
        /// No kind given.
        Any(AnyMediaQuality),
    }
}
