//! `switchboard graph participant`.

use clap::{Args, Subcommand};
use switchboard_signaling::request::participants;
use switchboard_signaling::types::{
    CallId, InviteRequest, MuteAllRequest, ParticipantId, StartHoldMusicRequest,
};

use super::input::{BodyArg, prompts, set};
use super::people::Targets;
use super::session::Session;
use crate::Failure;

#[derive(Args)]
pub(super) struct One {
    /// The call
    call: CallId,
    /// The participant
    participant: ParticipantId,
    /// The client's own mark on the operation
    #[arg(long, value_name = "TEXT")]
    context: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum Participant {
    /// List the participants of a call
    List {
        /// The call
        call: CallId,
    },
    /// Read one participant
    Get(One),
    /// Invite one to five into a group call
    Invite {
        /// The call
        call: CallId,
        #[command(flatten)]
        targets: Targets,
        /// The client's own mark on the operation
        #[arg(long, value_name = "TEXT")]
        context: Option<String>,
        #[command(flatten)]
        body: BodyArg,
    },
    /// Mute one on the server
    Mute(One),
    /// Mute several on the server (beta alone)
    MuteAll {
        /// The call
        call: CallId,
        /// The participants
        participants: Vec<String>,
        /// The client's own mark on the operation
        #[arg(long, value_name = "TEXT")]
        context: Option<String>,
    },
    /// Put one on hold, with music
    Hold {
        #[command(flatten)]
        one: One,
        /// A WAV file in place of Graph's music
        #[arg(long, value_name = "URL")]
        prompt: Option<String>,
    },
    /// Bring one back from hold
    Unhold(One),
    /// Remove one, or take an invitation back
    Delete(One),
}

pub(super) async fn run(command: &Participant, session: &Session) -> Result<(), Failure> {
    match command {
        Participant::List { call } => session.list(&participants::list(call)).await,
        Participant::Get(one) => {
            session
                .send(&participants::get(&one.call, &one.participant))
                .await
        }
        Participant::Invite {
            call,
            targets,
            context,
            body,
        } => {
            let mut invite: InviteRequest = body.read()?;
            invite
                .participants
                .get_or_insert_default()
                .extend(targets.invitations());
            set(&mut invite.client_context, context.as_ref());
            session.send(&participants::invite(call, &invite)?).await
        }
        Participant::Mute(one) => {
            let request = participants::mute(&one.call, &one.participant, one.context.as_deref());
            session.send(&request?).await
        }
        Participant::MuteAll {
            call,
            participants,
            context,
        } => {
            let all = MuteAllRequest {
                participants: Some(participants.clone()),
                client_context: context.clone(),
                ..MuteAllRequest::default()
            };
            session.send(&participants::mute_all(call, &all)?).await
        }
        Participant::Hold { one, prompt } => hold(one, prompt.as_ref(), session).await,
        Participant::Unhold(one) => {
            let context = one.context.as_deref();
            let request = participants::stop_hold_music(&one.call, &one.participant, context);
            session.send(&request?).await
        }
        Participant::Delete(one) => {
            session
                .send(&participants::delete(&one.call, &one.participant))
                .await
        }
    }
}

async fn hold(one: &One, prompt: Option<&String>, session: &Session) -> Result<(), Failure> {
    let prompt = prompt.map(std::slice::from_ref).unwrap_or_default();
    let music = StartHoldMusicRequest {
        custom_prompt: prompts(prompt).pop(),
        client_context: one.context.clone(),
        ..StartHoldMusicRequest::default()
    };
    let request = participants::start_hold_music(&one.call, &one.participant, &music)?;
    session.send(&request).await
}
