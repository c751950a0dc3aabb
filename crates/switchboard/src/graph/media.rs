//! `switchboard graph call`: a call's media and what lies below a call.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use switchboard_signaling::request;
use switchboard_signaling::types::{
    AudioRoutingGroup, CallId, CommsOperation, LogTeleconferenceDeviceQualityRequest, OperationId,
    PlayPromptRequest, RecordResponseRequest, RecordingStatus, RoutingGroupId, RoutingMode,
    ScreenSharingRole, SendDtmfTonesRequest, SharingSessionId, Tone, UpdateRecordingStatusRequest,
};

use super::input::{BodyArg, parse, prompts, read_file, set};
use super::session::Session;
use crate::Failure;

/// A call, and the client's own mark on the operation.
#[derive(Args)]
pub(super) struct Marked {
    /// The call
    call: CallId,
    /// The client's own mark on the operation
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Media {
    /// Play prompts (media with Graph)
    PlayPrompt {
        #[command(flatten)]
        to: Marked,
        /// WAV files
        #[arg(value_name = "URL")]
        prompts: Vec<String>,
        #[command(flatten)]
        body: BodyArg,
    },
    /// Record what the caller says (media with Graph)
    RecordResponse(RecordResponse),
    /// Fetch the recording that a completed recordOperation tells of, and say how large it is;
    /// the sound is written nowhere
    Recording {
        /// File with the operation as JSON ('-': standard input)
        #[arg(value_name = "FILE")]
        operation: PathBuf,
    },
    /// End prompts and recordings
    #[command(name = "cancel-media")]
    Cancel(Marked),
    /// Ask for a notification per key pressed (media with Graph)
    SubscribeToTone(Marked),
    /// Send dial-pad tones
    SendTones {
        #[command(flatten)]
        to: Marked,
        /// File with the keys, 0 to 9, *, #, A to D ('-': standard input)
        #[arg(value_name = "FILE")]
        keys: PathBuf,
        /// Time between two
        #[arg(long, value_name = "MILLISECONDS")]
        delay: Option<i32>,
    },
    /// Mute the application
    Mute(Marked),
    /// Take the application's mute back
    Unmute(Marked),
    /// Tell whether the application records
    RecordingStatus {
        #[command(flatten)]
        to: Marked,
        /// notRecording, recording or failed
        #[arg(value_parser = |text: &str| Ok::<_, String>(RecordingStatus::from(text)))]
        status: RecordingStatus,
    },
    /// Start or stop sharing the application's screen
    ScreenSharing {
        /// The call
        call: CallId,
        /// viewer or sharer
        #[arg(value_parser = |text: &str| Ok::<_, String>(ScreenSharingRole::from(text)))]
        role: ScreenSharingRole,
    },
    /// Add the large gallery view
    LargeGallery(Marked),
    /// List a call's operations, or read one
    Operations {
        /// The call
        call: CallId,
        /// The operation
        operation: Option<OperationId>,
    },
    /// List a call's content sharing sessions, or read one
    Sharing {
        /// The call
        call: CallId,
        /// The session
        session: Option<SharingSessionId>,
    },
    /// Who hears whom
    #[command(subcommand)]
    Routing(Routing),
    /// Report what a video conferencing gateway measured
    LogQuality {
        #[command(flatten)]
        body: BodyArg,
    },
}

#[derive(Args)]
pub(super) struct RecordResponse {
    #[command(flatten)]
    to: Marked,

    /// A WAV file to play first
    #[arg(long, value_name = "URL")]
    prompt: Option<String>,

    /// Break into prompts and recordings under way
    #[arg(long)]
    barge_in: bool,

    /// How long the caller may stay silent at first, 1 to 120
    #[arg(long, value_name = "SECONDS")]
    initial_silence: Option<i32>,

    /// How long the caller may pause, 1 to 120
    #[arg(long, value_name = "SECONDS")]
    max_silence: Option<i32>,

    /// How long the recording may be, 1 to 120
    #[arg(long, value_name = "SECONDS")]
    max_duration: Option<i32>,

    /// No beep
    #[arg(long)]
    no_beep: bool,

    /// A key that ends the recording; can be given more than once
    #[arg(long, value_name = "KEY")]
    stop_tone: Vec<String>,

    #[command(flatten)]
    body: BodyArg,
}

impl RecordResponse {
    fn request(&self) -> Result<RecordResponseRequest, Failure> {
        let mut record: RecordResponseRequest = self.body.read()?;
        if let Some(uri) = &self.prompt {
            record.prompts = Some(prompts(std::slice::from_ref(uri)));
        }
        if !self.stop_tone.is_empty() {
            record.stop_tones = Some(self.stop_tone.clone());
        }
        set(&mut record.barge_in_allowed, self.barge_in.then_some(&true));
        set(&mut record.play_beep, self.no_beep.then_some(&false));
        set(
            &mut record.initial_silence_timeout_in_seconds,
            self.initial_silence.as_ref(),
        );
        set(
            &mut record.max_silence_timeout_in_seconds,
            self.max_silence.as_ref(),
        );
        set(
            &mut record.max_record_duration_in_seconds,
            self.max_duration.as_ref(),
        );
        set(&mut record.client_context, self.to.context.as_ref());
        Ok(record)
    }
}

#[derive(Subcommand)]
pub(super) enum Routing {
    /// List the audio routing groups
    List {
        /// The call
        call: CallId,
    },
    /// Read a group
    Get {
        /// The call
        call: CallId,
        /// The group
        group: RoutingGroupId,
    },
    /// Let participants hear one privately
    Create {
        /// The call
        call: CallId,
        #[command(flatten)]
        group: Group,
    },
    /// Change who hears
    Update {
        /// The call
        call: CallId,
        /// The group
        id: RoutingGroupId,
        #[command(flatten)]
        group: Group,
    },
    /// End private hearing
    Delete {
        /// The call
        call: CallId,
        /// The group
        group: RoutingGroupId,
    },
}

#[derive(Args)]
pub(super) struct Group {
    /// oneToOne or multicast
    #[arg(long, value_parser = |text: &str| Ok::<_, String>(RoutingMode::from(text)))]
    mode: Option<RoutingMode>,

    /// The participant heard
    #[arg(long, value_name = "PARTICIPANT")]
    source: Vec<String>,

    /// A participant that hears; can be given more than once
    #[arg(long, value_name = "PARTICIPANT")]
    receiver: Vec<String>,
}

impl Group {
    fn group(&self) -> AudioRoutingGroup {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        AudioRoutingGroup {
            id: self.mode.as_ref().map(ToString::to_string),
            routing_mode: self.mode.clone(),
            sources: some(&self.source),
            receivers: some(&self.receiver),
            ..AudioRoutingGroup::default()
        }
    }
}

pub(super) async fn run(command: &Media, session: &Session) -> Result<(), Failure> {
    match command {
        Media::PlayPrompt {
            to,
            prompts: uris,
            body,
        } => {
            let mut play: PlayPromptRequest = body.read()?;
            play.prompts.get_or_insert_default().extend(prompts(uris));
            set(&mut play.client_context, to.context.as_ref());
            session.send(&request::play_prompt(&to.call, &play)?).await
        }
        Media::RecordResponse(record) => {
            session
                .send(&request::record_response(
                    &record.to.call,
                    &record.request()?,
                )?)
                .await
        }
        Media::Recording { operation } => {
            session
                .recording(&parse::<CommsOperation>(operation)?)
                .await
        }
        Media::SendTones { to, keys, delay } => {
            let send = tones(&read_file(keys)?, *delay, to.context.as_ref())?;
            session
                .send(&request::send_dtmf_tones(&to.call, &send)?)
                .await
        }
        Media::RecordingStatus { to, status } => {
            let update = UpdateRecordingStatusRequest {
                status: Some(status.clone()),
                client_context: to.context.clone(),
                ..UpdateRecordingStatusRequest::default()
            };
            session
                .send(&request::update_recording_status(&to.call, &update)?)
                .await
        }
        Media::ScreenSharing { call, role } => {
            session
                .send(&request::change_screen_sharing_role(call, role.clone())?)
                .await
        }
        Media::Routing(routing) => route(routing, session).await,
        Media::LogQuality { body } => {
            let report: LogTeleconferenceDeviceQualityRequest = body.read()?;
            let quality = report.quality.unwrap_or_default();
            session
                .send(&request::log_teleconference_device_quality(&quality)?)
                .await
        }
        Media::Operations {
            call,
            operation: Some(operation),
        } => session.send(&request::get_operation(call, operation)).await,
        Media::Operations {
            call,
            operation: None,
        } => session.list(&request::list_operations(call)).await,
        Media::Sharing {
            call,
            session: Some(sharing),
        } => {
            session
                .send(&request::get_content_sharing_session(call, sharing))
                .await
        }
        Media::Sharing {
            call,
            session: None,
        } => {
            session
                .list(&request::list_content_sharing_sessions(call))
                .await
        }
        Media::Cancel(_)
        | Media::SubscribeToTone(_)
        | Media::Mute(_)
        | Media::Unmute(_)
        | Media::LargeGallery(_) => mark(command, session).await,
    }
}

/// The operations that take nothing but a mark.
async fn mark(command: &Media, session: &Session) -> Result<(), Failure> {
    let request = match command {
        Media::Cancel(to) => request::cancel_media_processing(&to.call, to.context.as_deref()),
        Media::SubscribeToTone(to) => request::subscribe_to_tone(&to.call, to.context.as_deref()),
        Media::Mute(to) => request::mute(&to.call, to.context.as_deref()),
        Media::Unmute(to) => request::unmute(&to.call, to.context.as_deref()),
        Media::LargeGallery(to) => request::add_large_gallery_view(&to.call, to.context.as_deref()),
        _ => return Ok(()),
    };
    session.send(&request?).await
}

/// The tones of dial-pad keys. The keys themselves, which may be a PIN, are in no error.
fn tones(
    keys: &str,
    delay: Option<i32>,
    context: Option<&String>,
) -> Result<SendDtmfTonesRequest, Failure> {
    let keys = keys.chars().filter(|key| !key.is_whitespace());
    let tones: Option<Vec<Tone>> = keys.map(Tone::from_char).collect();
    let tones = tones.ok_or("the keys must be 0 to 9, *, #, A to D")?;
    Ok(SendDtmfTonesRequest {
        tones: Some(tones),
        delay_between_tones_ms: delay,
        client_context: context.cloned(),
        ..SendDtmfTonesRequest::default()
    })
}

async fn route(command: &Routing, session: &Session) -> Result<(), Failure> {
    match command {
        Routing::List { call } => {
            session
                .list(&request::list_audio_routing_groups(call))
                .await
        }
        Routing::Get { call, group } => {
            session
                .send(&request::get_audio_routing_group(call, group))
                .await
        }
        Routing::Create { call, group } => {
            session
                .send(&request::create_audio_routing_group(call, &group.group())?)
                .await
        }
        Routing::Update { call, id, group } => {
            let request = request::update_audio_routing_group(call, id, &group.group())?;
            session.send(&request).await
        }
        Routing::Delete { call, group } => {
            session
                .send(&request::delete_audio_routing_group(call, group))
                .await
        }
    }
}
