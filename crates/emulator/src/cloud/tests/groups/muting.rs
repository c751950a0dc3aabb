//! Who mutes at the phone.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn who_mutes_at_the_phone_is_muted_on_the_roster_and_not_by_the_server() {
    let mut group = Group::met(&service_media());
    let (first, phone) = (group.participant(0), group.phones[0].clone());
    let asked = group.scene.asked().len();
    for muted in [true, false] {
        let call = group.room.clone();
        group.scene.say(&phone, PhoneCommand::Mute { call, muted });
        let roster = group.last_roster();
        let own = roster.iter().find(|one| one.id.as_ref() == Some(&first));
        let own = own.unwrap();
        assert_eq!(own.is_muted, Some(muted));
        let stream = &own.media_streams.as_ref().unwrap()[0];
        assert_eq!(stream.server_muted, Some(false));
    }
    assert_eq!(group.scene.asked().len(), asked, "media is left alone");
}
