//! Whom a call, a transfer or an invitation is for.

use clap::Args;
use switchboard_signaling::types::{
    EndpointType, Identity, IdentitySet, InvitationParticipantInfo,
};

use super::input::Named;

#[derive(Args)]
pub(super) struct Targets {
    /// A user, by object id; can be given more than once
    #[arg(long, value_name = "ID[=NAME]")]
    to_user: Vec<Named>,

    /// A phone number, such as +12345678901; can be given more than once
    #[arg(long, value_name = "NUMBER")]
    to_phone: Vec<String>,

    /// Another bot, by application id; can be given more than once
    #[arg(long, value_name = "ID[=NAME]")]
    to_app: Vec<Named>,

    /// An application instance, by object id; can be given more than once
    #[arg(long, value_name = "ID[=NAME]")]
    to_instance: Vec<Named>,

    /// The call that is taken the place of (consultative transfer, invitation)
    #[arg(long, value_name = "CALL")]
    replaces: Option<String>,

    /// The targets' voicemail
    #[arg(long)]
    voicemail: bool,
}

pub(super) fn identity(named: &Named) -> Identity {
    Identity {
        display_name: named.name.clone(),
        ..Identity::new(&named.id)
    }
}

impl Targets {
    /// One invitation for each option.
    pub(super) fn invitations(&self) -> Vec<InvitationParticipantInfo> {
        let users = self
            .to_user
            .iter()
            .map(|user| IdentitySet::user(identity(user)));
        let phones = self
            .to_phone
            .iter()
            .map(|number| IdentitySet::phone(Identity::new(number)));
        let apps = self
            .to_app
            .iter()
            .map(|app| IdentitySet::application(identity(app)));
        let instances = self.to_instance.iter();
        let instances = instances.map(|one| IdentitySet::application_instance(identity(one)));
        let all = users.chain(phones).chain(apps).chain(instances);
        all.map(|identity| self.invitation(identity)).collect()
    }

    fn invitation(&self, identity: IdentitySet) -> InvitationParticipantInfo {
        InvitationParticipantInfo {
            replaces_call_id: self.replaces.clone(),
            endpoint_type: self.voicemail.then_some(EndpointType::Voicemail),
            ..InvitationParticipantInfo::new(identity)
        }
    }
}
