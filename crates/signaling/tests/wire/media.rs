use switchboard_signaling::request;
use switchboard_signaling::types::{
    AudioQuality, CallId, MediaPrompt, PlayPromptRequest, RecordResponseRequest, RecordingStatus,
    ScreenSharingRole, SendDtmfTonesRequest, TeleconferenceDeviceQuality, Tone,
    UpdateRecordingStatusRequest,
};

use crate::{CALL, CONTEXT, Wire, id};

fn call_id() -> CallId {
    id(CALL)
}

fn beep() -> MediaPrompt {
    let resource = "1D6DE2D4-CD51-4309-8DAA-70768651088E".to_owned();
    MediaPrompt::new("https://cdn.contoso.com/beep.wav", Some(resource))
}

#[test]
fn prompts_are_played_and_responses_recorded() {
    let mut wire = Wire::default();
    let play = PlayPromptRequest {
        prompts: Some(vec![beep().into()]),
        client_context: Some(CONTEXT.to_owned()),
        ..PlayPromptRequest::default()
    };
    wire.checked("", request::play_prompt(&call_id(), &play));
    let record = RecordResponseRequest {
        prompts: Some(vec![beep().into()]),
        barge_in_allowed: Some(true),
        initial_silence_timeout_in_seconds: Some(5),
        max_silence_timeout_in_seconds: Some(2),
        max_record_duration_in_seconds: Some(10),
        play_beep: Some(true),
        stop_tones: Some(["#", "1", "*"].map(str::to_owned).to_vec()),
        client_context: Some(CONTEXT.to_owned()),
        ..RecordResponseRequest::default()
    };
    wire.checked("", request::record_response(&call_id(), &record));
    wire.checked(
        "",
        request::cancel_media_processing(&call_id(), Some(CONTEXT)),
    );
    insta::assert_snapshot!(wire.text());
}

#[test]
fn tones_are_subscribed_to_and_sent() {
    let mut wire = Wire::default();
    wire.checked("", request::subscribe_to_tone(&call_id(), Some(CONTEXT)));
    let tones = "1234567890*#"
        .chars()
        .map(|key| Tone::from_char(key).unwrap());
    let send = SendDtmfTonesRequest {
        tones: Some(tones.chain([Tone::Flash]).collect()),
        delay_between_tones_ms: Some(1000),
        client_context: Some(CONTEXT.to_owned()),
        ..SendDtmfTonesRequest::default()
    };
    wire.checked("", request::send_dtmf_tones(&call_id(), &send));
    insta::assert_snapshot!(wire.text());
}

#[test]
fn the_application_mutes_shares_and_tells_of_recording() {
    let mut wire = Wire::default();
    wire.checked("", request::mute(&call_id(), Some(CONTEXT)));
    wire.checked("without a mark", request::unmute(&call_id(), None));
    for status in [
        RecordingStatus::Recording,
        RecordingStatus::NotRecording,
        RecordingStatus::Failed,
    ] {
        let what = status.to_string();
        let update = UpdateRecordingStatusRequest {
            status: Some(status),
            client_context: Some(CONTEXT.to_owned()),
            ..UpdateRecordingStatusRequest::default()
        };
        wire.checked(&what, request::update_recording_status(&call_id(), &update));
    }
    for role in [ScreenSharingRole::Sharer, ScreenSharingRole::Viewer] {
        wire.checked("", request::change_screen_sharing_role(&call_id(), role));
    }
    wire.checked(
        "",
        request::add_large_gallery_view(&call_id(), Some(CONTEXT)),
    );
    insta::assert_snapshot!(wire.text());
}

#[test]
fn gateways_report_quality() {
    let audio = AudioQuality {
        channel_index: Some(1),
        media_duration: Some("PT20M".to_owned()),
        network_link_speed_in_bytes: Some(13_000),
        local_ip_address: Some("127.0.0.1".to_owned()),
        local_port: Some(6300),
        inbound_packets: Some(5500),
        average_inbound_packet_loss_rate_in_percentage: Some(0.01),
        average_inbound_jitter: Some("PT0.01S".to_owned()),
        ..AudioQuality::default()
    };
    let quality = TeleconferenceDeviceQuality {
        call_chain_id: Some("0622673d-9f69-49b3-9d4f-5ec64f42ecce".to_owned()),
        participant_id: Some("ea078406-b5d4-4d3c-b85e-90103dcec7f6".to_owned()),
        media_leg_id: Some("bd9ee398-4b9d-42c7-8b8d-4e8efad9435f".to_owned()),
        device_name: Some("TestAgent".to_owned()),
        device_description: Some("TestDescription".to_owned()),
        media_quality_list: Some(vec![audio.into()]),
        ..TeleconferenceDeviceQuality::default()
    };
    let mut wire = Wire::default();
    wire.checked("", request::log_teleconference_device_quality(&quality));
    insta::assert_snapshot!(wire.text());
}
