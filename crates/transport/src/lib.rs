//! WebRTC transport between the network and the media engine: WHIP endpoint, client and bridge
