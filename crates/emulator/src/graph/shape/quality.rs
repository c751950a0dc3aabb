//! The body of `logTeleconferenceDeviceQuality`.

use super::Holds::{Of, Value as Plain};
use super::Shape;

pub(super) const LOG: Shape = Shape {
    name: "logTeleconferenceDeviceQuality",
    properties: &[("quality", Of(&DEVICE))],
};

const DEVICE: Shape = Shape {
    name: "teleconferenceDeviceQuality",
    properties: &[
        ("callChainId", Plain),
        ("cloudServiceDeploymentEnvironment", Plain),
        ("cloudServiceDeploymentId", Plain),
        ("cloudServiceInstanceName", Plain),
        ("cloudServiceName", Plain),
        ("deviceDescription", Plain),
        ("deviceName", Plain),
        ("mediaLegId", Plain),
        ("mediaQualityList", Of(&MEDIA)),
        ("participantId", Plain),
    ],
};

/// All kinds of media in one; the last four properties are those of pictures.
const MEDIA: Shape = Shape {
    name: "teleconferenceDeviceMediaQuality",
    properties: &[
        ("averageInboundJitter", Plain),
        ("averageInboundPacketLossRateInPercentage", Plain),
        ("averageInboundRoundTripDelay", Plain),
        ("averageOutboundJitter", Plain),
        ("averageOutboundPacketLossRateInPercentage", Plain),
        ("averageOutboundRoundTripDelay", Plain),
        ("channelIndex", Plain),
        ("inboundPackets", Plain),
        ("localIPAddress", Plain),
        ("localPort", Plain),
        ("maximumInboundJitter", Plain),
        ("maximumInboundPacketLossRateInPercentage", Plain),
        ("maximumInboundRoundTripDelay", Plain),
        ("maximumOutboundJitter", Plain),
        ("maximumOutboundPacketLossRateInPercentage", Plain),
        ("maximumOutboundRoundTripDelay", Plain),
        ("mediaDuration", Plain),
        ("networkLinkSpeedInBytes", Plain),
        ("outboundPackets", Plain),
        ("remoteIPAddress", Plain),
        ("remotePort", Plain),
        ("averageInboundBitRate", Plain),
        ("averageInboundFrameRate", Plain),
        ("averageOutboundBitRate", Plain),
        ("averageOutboundFrameRate", Plain),
    ],
};
