//! `switchboard graph call`: setting up, keeping and ending calls.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use switchboard_signaling::request;
use switchboard_signaling::types::{
    self as graph, AnswerRequest, AppHostedMediaConfig, CallId, IdentitySet, JoinAddress,
    MediaConfig, Modality, ParticipantInfo, RedirectRequest, RejectReason, RejectRequest,
    ServiceHostedMediaConfig, TransferRequest,
};

use super::input::{BodyArg, Named, hidden, media, set};
use super::media::Media;
use super::people::{Targets, identity};
use super::session::Session;
use crate::Failure;

#[derive(Subcommand)]
pub(super) enum Call {
    /// Call someone, or join a meeting
    Create(Box<Create>),
    /// Read a call
    Get {
        /// The call
        call: CallId,
    },
    /// Hang up
    Delete {
        /// The call
        call: CallId,
    },
    /// Keep a call from being ended after 45 minutes
    KeepAlive {
        /// The call
        call: CallId,
    },
    /// Answer an incoming call
    Answer(Answer),
    /// Turn an incoming call down
    Reject {
        /// The call
        call: CallId,
        /// Why: none, busy or forbidden
        #[arg(long, default_value = "none", value_parser = |text: &str| Ok::<_, String>(RejectReason::from(text)))]
        reason: RejectReason,
        /// Where this call's notifications go
        #[arg(long, value_name = "URL")]
        callback_uri: Option<String>,
    },
    /// Send an incoming call elsewhere
    Redirect(Redirect),
    /// Transfer an established call
    Transfer(Transfer),
    #[command(flatten)]
    Media(Media),
}

/// Who handles the call's media.
#[derive(Args)]
struct MediaArgs {
    /// File with the media session's description ('-': standard input), for media handled by
    /// the application; without it Graph handles media
    #[arg(long, value_name = "FILE")]
    blob_file: Option<PathBuf>,

    /// A WAV file Graph fetches ahead; can be given more than once
    #[arg(long, value_name = "URL", conflicts_with = "blob_file")]
    pre_fetch: Vec<String>,
}

impl MediaArgs {
    fn config(&self) -> Result<MediaConfig, Failure> {
        let Some(path) = &self.blob_file else {
            let files = media(&self.pre_fetch);
            return Ok(MediaConfig::ServiceHosted(ServiceHostedMediaConfig {
                pre_fetch_media: (!files.is_empty()).then_some(files),
                ..ServiceHostedMediaConfig::default()
            }));
        };
        let blob = hidden(Some(path), "")?.unwrap_or_default();
        Ok(AppHostedMediaConfig::new(blob).into())
    }
}

#[derive(Args)]
pub(super) struct Create {
    /// Where this call's notifications go
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    #[command(flatten)]
    targets: Targets,

    /// The application instance the call comes from, needed to call phones
    #[arg(long, value_name = "ID[=NAME]", conflicts_with = "guest")]
    from_instance: Option<Named>,

    /// The subject
    #[arg(long)]
    subject: Option<String>,

    /// Join the meeting that people join at this address
    #[arg(long, value_name = "URL", group = "meeting")]
    join_url: Option<JoinAddress>,

    /// Join the meeting with this id; the passcode comes from --passcode-file or
    /// SWITCHBOARD_MEETING_PASSCODE
    #[arg(long, value_name = "ID", group = "meeting")]
    join_meeting_id: Option<String>,

    /// File with the meeting's passcode
    #[arg(long, value_name = "FILE", requires = "join_meeting_id")]
    passcode_file: Option<PathBuf>,

    /// Join the meeting whose token is in this file
    #[arg(long, value_name = "FILE", group = "meeting")]
    join_token_file: Option<PathBuf>,

    /// Join as a guest: a GUID and the name to show
    #[arg(long, value_name = "GUID=NAME", requires = "meeting")]
    guest: Option<Named>,

    #[command(flatten)]
    media: MediaArgs,

    #[command(flatten)]
    body: BodyArg,
}

impl Create {
    fn call(&self, session: &Session) -> Result<graph::Call, Failure> {
        let mut call: graph::Call = self.body.read()?;
        set(&mut call.callback_uri, self.callback_uri.as_ref());
        set(&mut call.subject, self.subject.as_ref());
        if call.media_config.is_none() || self.media.blob_file.is_some() {
            call.media_config = Some(self.media.config()?);
        }
        call.requested_modalities
            .get_or_insert_with(|| vec![Modality::Audio]);
        let targets = self.targets.invitations();
        if !targets.is_empty() {
            call.targets.get_or_insert_default().extend(targets);
        }
        if let Some(instance) = &self.from_instance {
            call = call.from_instance(identity(instance), session.tenant()?);
        }
        self.join(call, session)
    }

    fn join(&self, mut call: graph::Call, session: &Session) -> Result<graph::Call, Failure> {
        if let Some(address) = &self.join_url {
            call = call.joining(address.clone());
        }
        if let Some(id) = &self.join_meeting_id {
            let file = self.passcode_file.as_deref();
            let passcode = hidden(file, "SWITCHBOARD_MEETING_PASSCODE")?;
            call = call.joining_by_id(id, passcode, session.tenant()?);
        }
        if let Some(path) = &self.join_token_file {
            let token = hidden(Some(path), "")?.unwrap_or_default();
            call = call.joining_by_token(token, session.tenant()?);
        }
        if let Some(guest) = &self.guest {
            call = call.as_guest(&guest.id, guest.name.clone().unwrap_or_default());
        }
        Ok(call)
    }
}

#[derive(Args)]
pub(super) struct Answer {
    /// The call
    call: CallId,

    /// Where this call's notifications go
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    /// A kind of media accepted: audio, video or videoBasedScreenSharing
    #[arg(long, value_name = "KIND", value_parser = |text: &str| Ok::<_, String>(Modality::from(text)))]
    modality: Vec<Modality>,

    /// How many participants a policy recorder can handle
    #[arg(long, value_name = "NUMBER")]
    participant_capacity: Option<i32>,

    #[command(flatten)]
    media: MediaArgs,

    #[command(flatten)]
    body: BodyArg,
}

impl Answer {
    fn request(&self) -> Result<AnswerRequest, Failure> {
        let mut answer: AnswerRequest = self.body.read()?;
        set(&mut answer.callback_uri, self.callback_uri.as_ref());
        set(
            &mut answer.participant_capacity,
            self.participant_capacity.as_ref(),
        );
        if answer.media_config.is_none() || self.media.blob_file.is_some() {
            answer.media_config = Some(self.media.config()?);
        }
        if !self.modality.is_empty() {
            answer.accepted_modalities = Some(self.modality.clone());
        }
        answer
            .accepted_modalities
            .get_or_insert_with(|| vec![Modality::Audio]);
        Ok(answer)
    }
}

#[derive(Args)]
pub(super) struct Redirect {
    /// The call
    call: CallId,

    #[command(flatten)]
    targets: Targets,

    /// How long the targets ring, 15 to 90
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<i32>,

    /// Hide the callee from the caller
    #[arg(long)]
    mask_callee: bool,

    /// Hide the caller from the callee
    #[arg(long)]
    mask_caller: bool,

    /// Where this call's notifications go
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    #[command(flatten)]
    body: BodyArg,
}

impl Redirect {
    fn request(&self) -> Result<RedirectRequest, Failure> {
        let mut redirect: RedirectRequest = self.body.read()?;
        redirect
            .targets
            .get_or_insert_default()
            .extend(self.targets.invitations());
        set(&mut redirect.timeout, self.timeout.as_ref());
        set(&mut redirect.callback_uri, self.callback_uri.as_ref());
        set(&mut redirect.mask_callee, self.mask_callee.then_some(&true));
        set(&mut redirect.mask_caller, self.mask_caller.then_some(&true));
        Ok(redirect)
    }
}

#[derive(Args)]
pub(super) struct Transfer {
    /// The call
    call: CallId,

    #[command(flatten)]
    targets: Targets,

    /// Who is transferred out of a group call: the user's id and, after '=', the participant's
    #[arg(long, value_name = "USER=PARTICIPANT")]
    transferee: Option<Named>,

    /// The client's own mark on the operation
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,

    #[command(flatten)]
    body: BodyArg,
}

impl Transfer {
    fn request(&self) -> Result<TransferRequest, Failure> {
        let mut transfer: TransferRequest = self.body.read()?;
        let mut targets = self.targets.invitations();
        if targets.len() > 1 {
            return Err("a transfer has one target".into());
        }
        set(&mut transfer.transfer_target, targets.pop().as_ref());
        set(&mut transfer.client_context, self.context.as_ref());
        if let Some(transferee) = &self.transferee {
            let user = IdentitySet::user(graph::Identity::new(&transferee.id));
            transfer.transferee = Some(ParticipantInfo {
                participant_id: transferee.name.clone(),
                ..ParticipantInfo::new(user)
            });
        }
        Ok(transfer)
    }
}

pub(super) async fn run(command: &Call, session: &Session) -> Result<(), Failure> {
    match command {
        Call::Create(create) => {
            let call = create.call(session)?;
            session.send(&request::create_call(&call)?).await
        }
        Call::Get { call } => session.send(&request::get_call(call)).await,
        Call::Delete { call } => session.send(&request::delete_call(call)).await,
        Call::KeepAlive { call } => session.send(&request::keep_alive(call)).await,
        Call::Answer(answer) => {
            session
                .send(&request::answer(&answer.call, &answer.request()?)?)
                .await
        }
        Call::Reject {
            call,
            reason,
            callback_uri,
        } => {
            let reject = RejectRequest {
                reason: Some(reason.clone()),
                callback_uri: callback_uri.clone(),
                ..RejectRequest::default()
            };
            session.send(&request::reject(call, &reject)?).await
        }
        Call::Redirect(redirect) => {
            session
                .send(&request::redirect(&redirect.call, &redirect.request()?)?)
                .await
        }
        Call::Transfer(transfer) => {
            session
                .send(&request::transfer(&transfer.call, &transfer.request()?)?)
                .await
        }
        Call::Media(media) => super::media::run(media, session).await,
    }
}
