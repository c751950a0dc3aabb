//! Who is in a call: identities and the participants that carry them.

use super::enums::EndpointType;
use super::object::graph_object;

graph_object! {
    /// One identity (`identity` and its descendants): a user, an application, a phone number …
    pub struct Identity as "#microsoft.graph.identity" {
        /// The identity's id; for a phone its number in E.164 form.
        pub id: String,
        /// A name fit to be shown.
        pub display_name: String,
        /// The tenant of a user or an application instance.
        pub tenant_id: String,
        /// Whether an application is hidden from the roster.
        pub hidden: bool,
        /// What kind of application it is (`communicationsApplicationIdentity`).
        pub application_type: String,
        /// A guest's address (`communicationsGuestIdentity`).
        pub email: String,
        /// Who vouches for a user, such as `AAD`.
        pub identity_provider: String,
        /// The communication resource of an Azure Communication Services user.
        pub azure_communication_services_resource_id: String,
    }
}

impl Identity {
    /// An identity by its id alone.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }

    /// The same identity with a name to show.
    #[must_use]
    pub fn named(mut self, display_name: impl Into<String>) -> Self {
        self.display_name = Some(display_name.into());
        self
    }
}

graph_object! {
    /// The identities of one participant (`identitySet` and `communicationsIdentitySet`);
    /// normally one of them is set.
    pub struct IdentitySet as "#microsoft.graph.identitySet" {
        /// An application, such as a bot.
        pub application: Identity,
        /// An application instance: a bot's account that can own a phone number.
        pub application_instance: Identity,
        /// The identity a call claims to be from, when masked.
        pub asserted_identity: Identity,
        /// An Azure Communication Services user.
        pub azure_communication_services_user: Identity,
        /// A device.
        pub device: Identity,
        /// An identity that the application lacks the permission to read.
        pub encrypted: Identity,
        /// What kind of endpoint the participant uses.
        pub endpoint_type: EndpointType,
        /// A guest.
        pub guest: Identity,
        /// A participant on premises.
        pub on_premises: Identity,
        /// A phone number.
        pub phone: Identity,
        /// A user.
        pub user: Identity,
    }
}

impl IdentitySet {
    /// A user, by object id.
    pub fn user(identity: Identity) -> Self {
        Self {
            user: Some(identity),
            ..Self::default()
        }
    }

    /// An application, by application id.
    pub fn application(identity: Identity) -> Self {
        Self {
            application: Some(identity),
            ..Self::default()
        }
    }

    /// A phone number in E.164 form.
    pub fn phone(identity: Identity) -> Self {
        Self {
            phone: Some(identity),
            ..Self::default()
        }
    }

    /// An application instance, by object id: the account of a bot that owns a phone number.
    pub fn application_instance(identity: Identity) -> Self {
        Self {
            application_instance: Some(identity),
            ..Self::default()
        }
    }

    /// A guest: how a bot joins a meeting of another tenant without an account there.
    pub fn guest(identity: Identity) -> Self {
        Self {
            guest: Some(identity),
            ..Self::default()
        }
    }

    /// The first identity that is set: user, application, instance, phone, guest, then the others.
    pub fn any(&self) -> Option<&Identity> {
        [
            &self.user,
            &self.application,
            &self.application_instance,
            &self.phone,
            &self.guest,
            &self.azure_communication_services_user,
            &self.on_premises,
            &self.device,
            &self.encrypted,
            &self.asserted_identity,
        ]
        .into_iter()
        .find_map(Option::as_ref)
    }
}

graph_object! {
    /// A participant as the call knows it (`participantInfo`).
    pub struct ParticipantInfo as "#microsoft.graph.participantInfo" {
        /// Who it is.
        pub identity: IdentitySet,
        /// Country, ISO 3166-1 alpha-2, as recorded at the start.
        pub country_code: String,
        /// What kind of endpoint the participant uses.
        pub endpoint_type: EndpointType,
        /// Language and culture, for example `en-US`.
        pub language_id: String,
        /// The participant's id in the call.
        pub participant_id: String,
        /// The participant's home region.
        pub region: String,
    }
}

graph_object! {
    /// A participant to be called, redirected to or transferred to (`invitationParticipantInfo`).
    pub struct InvitationParticipantInfo as "#microsoft.graph.invitationParticipantInfo" {
        /// Who to call.
        pub identity: IdentitySet,
        /// What kind of endpoint to call, such as voicemail.
        pub endpoint_type: EndpointType,
        /// Whether the participant is hidden from the roster.
        pub hidden: bool,
        /// The id of a participant already in the call.
        pub participant_id: String,
        /// Whether to keep the participant out of the default audio routing group.
        pub remove_from_default_audio_routing_group: bool,
        /// The call that this one takes the place of (consultative transfer).
        pub replaces_call_id: String,
        /// Language and culture, for example `en-us`, as transfers carry it.
        pub language_id: String,
        /// The participant's region, as transfers carry it.
        pub region: String,
    }
}

impl ParticipantInfo {
    /// A participant by its identities.
    pub fn new(identity: IdentitySet) -> Self {
        Self {
            identity: Some(identity),
            ..Self::default()
        }
    }
}

impl InvitationParticipantInfo {
    /// An invitation of the given identities.
    pub fn new(identity: IdentitySet) -> Self {
        Self {
            identity: Some(identity),
            ..Self::default()
        }
    }
}
