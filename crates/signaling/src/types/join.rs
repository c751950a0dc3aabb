//! New calls in their documented forms, and what a meeting's join address says.

use std::str::FromStr;

use serde::Deserialize;
use url::Url;

use super::call::{
    Call, ChatInfo, JoinMeetingIdMeetingInfo, MeetingInfo, OrganizerMeetingInfo, TokenMeetingInfo,
};
use super::enums::Modality;
use super::identity::{Identity, IdentitySet, InvitationParticipantInfo, ParticipantInfo};
use super::media::MediaConfig;
use super::object::Redacted;

impl Call {
    /// A call with sound that is yet to be given targets or a meeting.
    pub fn outgoing(callback_uri: impl Into<String>, media_config: impl Into<MediaConfig>) -> Self {
        Self {
            callback_uri: Some(callback_uri.into()),
            media_config: Some(media_config.into()),
            requested_modalities: Some(vec![Modality::Audio]),
            ..Self::default()
        }
    }

    /// The same call to one more target; with several it is a group call.
    #[must_use]
    pub fn to(mut self, target: IdentitySet) -> Self {
        let target = InvitationParticipantInfo::new(target);
        self.targets.get_or_insert_default().push(target);
        self
    }

    /// The same call from an application instance of a tenant, as calls to phones must be.
    #[must_use]
    pub fn from_instance(mut self, instance: Identity, tenant: impl Into<String>) -> Self {
        let source = ParticipantInfo::new(IdentitySet::application_instance(instance));
        self.source = Some(source);
        self.tenant_id = Some(tenant.into());
        self
    }

    /// The same call, joining as a guest under a name; `id` is any GUID, one for each time.
    #[must_use]
    pub fn as_guest(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        let guest = IdentitySet::guest(Identity::new(id).named(name));
        self.source = Some(ParticipantInfo::new(guest));
        self
    }

    /// The same call into the meeting that a join address leads to.
    #[must_use]
    pub fn joining(mut self, address: JoinAddress) -> Self {
        let mut organizer = Identity::new(address.organizer_id);
        organizer.tenant_id = Some(address.tenant_id.clone());
        self.meeting_info = Some(MeetingInfo::Organizer(OrganizerMeetingInfo {
            organizer: Some(IdentitySet::user(organizer)),
            allow_conversation_without_host: Some(true),
            ..OrganizerMeetingInfo::default()
        }));
        self.chat_info = Some(ChatInfo {
            thread_id: Some(address.thread_id),
            message_id: Some(address.message_id),
            ..ChatInfo::default()
        });
        self.tenant_id = Some(address.tenant_id);
        self
    }

    /// The same call into the meeting a token stands for, in a tenant.
    #[must_use]
    pub fn joining_by_token(mut self, token: Redacted, tenant: impl Into<String>) -> Self {
        self.meeting_info = Some(MeetingInfo::Token(TokenMeetingInfo {
            token: Some(token),
            ..TokenMeetingInfo::default()
        }));
        self.tenant_id = Some(tenant.into());
        self
    }

    /// The same call into the meeting with a join id, in a tenant.
    #[must_use]
    pub fn joining_by_id(
        mut self,
        join_meeting_id: impl Into<String>,
        passcode: Option<Redacted>,
        tenant: impl Into<String>,
    ) -> Self {
        self.meeting_info = Some(MeetingInfo::JoinMeetingId(JoinMeetingIdMeetingInfo {
            join_meeting_id: Some(join_meeting_id.into()),
            passcode,
            ..JoinMeetingIdMeetingInfo::default()
        }));
        self.tenant_id = Some(tenant.into());
        self
    }
}

/// What the address of a meeting (`joinWebUrl`) says about it: enough to join.
///
/// `https://teams.microsoft.com/l/meetup-join/{thread}/{message}?context={"Tid":…,"Oid":…}`,
/// escaped once or twice (resource page of `call`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinAddress {
    /// The chat's thread.
    pub thread_id: String,
    /// The message in it.
    pub message_id: String,
    /// The organizer's tenant.
    pub tenant_id: String,
    /// The organizer.
    pub organizer_id: String,
}

/// A text that isn't the address of a meeting.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "not a meeting's join address: https://teams.microsoft.com/l/meetup-join/{{thread}}/{{message}}?context={{…}} with Tid and Oid is needed"
)]
pub struct InvalidJoinAddress;

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Tid")]
    tenant_id: String,
    #[serde(rename = "Oid")]
    organizer_id: String,
}

impl FromStr for JoinAddress {
    type Err = InvalidJoinAddress;

    fn from_str(text: &str) -> Result<Self, InvalidJoinAddress> {
        read(text).ok_or(InvalidJoinAddress)
    }
}

fn read(text: &str) -> Option<JoinAddress> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https")?;
    let mut segments = url.path_segments()?;
    segments.find(|segment| *segment == "meetup-join")?;
    let thread_id = unescaped(segments.next()?)?;
    let message_id = unescaped(segments.next()?)?;
    let (_, context) = url.query_pairs().find(|(name, _)| name == "context")?;
    let context: Context = serde_json::from_str(&unescaped(&context)?).ok()?;
    Some(JoinAddress {
        thread_id,
        message_id,
        tenant_id: context.tenant_id,
        organizer_id: context.organizer_id,
    })
}

/// Takes up to two layers of escapes off; `None` for an empty text or what isn't UTF-8.
fn unescaped(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    for _ in 0..2 {
        if text.contains('%') {
            text = unescaped_once(&text)?;
        }
    }
    (!text.is_empty()).then_some(text)
}

fn unescaped_once(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = escape.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ONCE: &str = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_NTg0@thread.v2/0?context=%7b%22Tid%22%3a%2272f988bf%22%2c%22Oid%22%3a%224b444206%22%7d";
    const TWICE: &str = "https://teams.microsoft.com/l/meetup-join/19%253ameeting_NTg0%2540thread.v2/0?context=%257b%2522Tid%2522%253a%252272f988bf%2522%252c%2522Oid%2522%253a%25224b444206%2522%257d";

    #[test]
    fn a_join_address_tells_thread_message_tenant_and_organizer() {
        let expected = JoinAddress {
            thread_id: "19:meeting_NTg0@thread.v2".to_owned(),
            message_id: "0".to_owned(),
            tenant_id: "72f988bf".to_owned(),
            organizer_id: "4b444206".to_owned(),
        };
        assert_eq!(ONCE.parse(), Ok(expected.clone()));
        assert_eq!(TWICE.parse(), Ok(expected));
    }

    #[test]
    fn other_addresses_are_refused() {
        for bad in [
            "",
            "teams.microsoft.com/l/meetup-join/a/0",
            "http://teams.microsoft.com/l/meetup-join/a/0?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%7d",
            "https://teams.microsoft.com/l/meetup-join/a/0",
            "https://teams.microsoft.com/l/meetup-join/a/0?context=%7b%22Tid%22%3a%22t%22%7d",
            "https://teams.microsoft.com/l/meetup-join/a?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%7d",
            "https://teams.microsoft.com/l/meetup-join/%ff/0?context=%7b%22Tid%22%3a%22t%22%2c%22Oid%22%3a%22o%22%7d",
        ] {
            assert_eq!(bad.parse::<JoinAddress>(), Err(InvalidJoinAddress), "{bad}");
        }
    }

    fn escaped(text: &str) -> String {
        let escape = |byte: u8| format!("%{byte:02X}");
        text.bytes().map(escape).collect()
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,80}", tail in "[%/?=a-f0-9{}\":]{0,80}") {
            let _ = text.parse::<JoinAddress>();
            let _ = format!("https://x/l/meetup-join/{tail}").parse::<JoinAddress>();
        }

        /// Escapes in the values themselves would be taken for a second layer.
        #[test]
        fn what_is_escaped_is_read(
            thread in "[^%.]{1,20}", message in "[0-9]{1,12}", tenant in "[^%]{0,20}",
            organizer in "[^%]{0,20}", twice in any::<bool>(),
        ) {
            let context = json!({"Tid": tenant, "Oid": organizer}).to_string();
            let escape = |text: &str| if twice { escaped(&escaped(text)) } else { escaped(text) };
            let address = format!(
                "https://teams.microsoft.com/l/meetup-join/{}/{message}?context={}",
                escape(&thread), escape(&context),
            );
            let expected = JoinAddress {
                thread_id: thread, message_id: message, tenant_id: tenant, organizer_id: organizer,
            };
            prop_assert_eq!(address.parse(), Ok(expected));
        }
    }
}
