//! What is shown in group calls, and who hears whom privately there: screen sharing,
//! content sharing sessions, the large gallery, audio routing groups. No picture is
//! carried; what is said about them is.

use std::collections::BTreeSet;

use switchboard_signaling::types::{
    AudioRoutingGroup, ChangeScreenSharingRoleRequest, ChangeType, ClientContextRequest,
    ContentSharingSession, OperationKind, OperationStatus, RoutingMode, ScreenSharingRole,
};

use super::conversation::{BotMedia, Conversation};
use super::graph::established;
use super::group::group;
use super::operations::check_context;
use super::room::Room;
use super::{Cloud, Effect, Fault, Reply, RoomAction, notice};

/// More routes than this make no sense with the seats there are.
const MAX_ROUTES: usize = 100;

impl Cloud {
    /// call: changeScreenSharingRole
    pub(super) fn change_role(
        &mut self,
        call: &mut Conversation,
        request: &ChangeScreenSharingRoleRequest,
    ) -> Result<Reply, Fault> {
        established(call, "changeScreenSharingRole")?;
        let (room, seat) = (group(call)?.room.clone(), group(call)?.seat);
        let media = call.bot.as_ref().and_then(|bot| bot.media.as_ref());
        if !matches!(media, Some(BotMedia::Application(_))) {
            return Err(Fault::only_for(
                "group calls that use App-Hosted Media, not for other",
            ));
        }
        let session = self.ids.guid().replace('-', "").to_ascii_uppercase();
        let Some(room) = self.rooms.get_mut(&room) else {
            return Err(Fault::no_call());
        };
        match request.role {
            Some(ScreenSharingRole::Sharer) => room.share(seat, session),
            Some(ScreenSharingRole::Viewer) => room.stop_sharing(seat),
            _ => return Err(Fault::property("role", "it must be viewer or sharer")),
        }
        Ok(Reply::Accepted)
    }

    /// call: addLargeGalleryView
    pub(super) fn add_large_gallery(
        &mut self,
        call: &mut Conversation,
        request: ClientContextRequest,
    ) -> Result<Reply, Fault> {
        established(call, "addLargeGalleryView")?;
        group(call)?;
        check_context(request.client_context.as_deref())?;
        let kind = OperationKind::AddLargeGalleryView;
        let running = OperationStatus::Running;
        let Reply::Operation(operation) =
            self.begin(call, kind, running, request.client_context)?
        else {
            return Err(Fault::no_call());
        };
        let id = operation.id.clone().unwrap_or_default();
        self.settled.push_back((call.id.clone(), id, true));
        Ok(Reply::AcceptedOperation(operation))
    }

    fn room_of_call(&self, call: &Conversation) -> Option<&Room> {
        self.rooms.get(&call.group.as_ref()?.room)
    }

    /// List contentSharingSessions; in calls of two nothing is shown.
    pub(super) fn sharing_sessions(&self, call: &Conversation) -> Vec<ContentSharingSession> {
        let room = self.room_of_call(call);
        let shared = room.and_then(|room| room.sharing.as_ref());
        shared.map(|(_, id)| session(id)).into_iter().collect()
    }

    /// Get contentSharingSession
    pub(super) fn sharing_session(&self, call: &Conversation, id: &str) -> Result<Reply, Fault> {
        let mut sessions = self.sharing_sessions(call).into_iter();
        let found = sessions.find(|one| one.id.as_deref() == Some(id));
        let not_found = || Fault {
            message: "Content sharing session not found.".to_owned(),
            ..Fault::no_operation()
        };
        found.map(|one| Reply::object(&one)).ok_or_else(not_found)
    }

    /// Tells the bots that asked for it what is shown in a room.
    pub(super) fn tell_sharing(&mut self, id: &str) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let news = std::mem::take(&mut room.sharing_news);
        let bots: Vec<_> = room.bots_inside().collect();
        for (change, id) in news {
            for call in &bots {
                self.with_call(call, |cloud, call| {
                    let message = cloud.ids.guid();
                    let Some(bot) = call.bot.as_ref().filter(|bot| bot.content_notices) else {
                        return;
                    };
                    let sessions = [session(&id)];
                    let notice =
                        notice::about_sharing(call, bot, message, change.clone(), &sessions);
                    cloud.effects.push_back(Effect::Notify(Box::new(notice)));
                });
            }
        }
    }

    /// List audioRoutingGroups
    pub(super) fn routes(&self, call: &Conversation) -> Result<Vec<AudioRoutingGroup>, Fault> {
        group(call)?;
        let room = self.room_of_call(call).ok_or_else(Fault::no_call)?;
        Ok(room.routes.clone())
    }

    /// Get audioRoutingGroup
    pub(super) fn route(&self, call: &Conversation, id: &str) -> Result<Reply, Fault> {
        let routes = self.routes(call)?;
        let found = routes.iter().find(|one| one.id.as_deref() == Some(id));
        found.map(Reply::object).ok_or_else(no_route)
    }

    /// Create audioRoutingGroup: its receivers alone hear its source.
    pub(super) fn create_route(
        &mut self,
        call: &Conversation,
        mut request: AudioRoutingGroup,
    ) -> Result<Reply, Fault> {
        established(call, "create audioRoutingGroup")?;
        let room = group(call)?.room.clone();
        let id = request.id.take().unwrap_or_else(|| self.ids.guid());
        let place = self.rooms.get(&room).ok_or_else(Fault::no_call)?;
        let taken = |one: &AudioRoutingGroup| one.id.as_deref() == Some(id.as_str());
        if place.routes.iter().any(taken) || place.routes.len() >= MAX_ROUTES {
            let message = "There is an audio routing group with this id, or too many.";
            let status = axum::http::StatusCode::CONFLICT;
            return Err(Fault::new(status, "Conflict", message));
        }
        request.id = Some(id);
        let action = routed(place, &request)?;
        let reply = Reply::object(&request);
        if let Some(place) = self.rooms.get_mut(&room) {
            place.routes.push(request);
        }
        self.room_media(&room, action);
        Ok(reply)
    }

    /// Update audioRoutingGroup: who hears.
    pub(super) fn update_route(
        &mut self,
        call: &Conversation,
        id: &str,
        changes: AudioRoutingGroup,
    ) -> Result<Reply, Fault> {
        let room = group(call)?.room.clone();
        let mut whole = self.routes(call)?.into_iter();
        let whole = whole.find(|one| one.id.as_deref() == Some(id));
        let whole = whole.ok_or_else(no_route)?;
        let changed = AudioRoutingGroup {
            routing_mode: changes.routing_mode.or(whole.routing_mode.clone()),
            sources: changes.sources.or(whole.sources.clone()),
            receivers: changes.receivers.or(whole.receivers.clone()),
            ..whole.clone()
        };
        let place = self.rooms.get(&room).ok_or_else(Fault::no_call)?;
        let (before, after) = (released(place, &whole), routed(place, &changed)?);
        let reply = Reply::object(&changed);
        let place = self.rooms.get_mut(&room);
        let routes = place.into_iter().flat_map(|place| &mut place.routes);
        for route in routes.filter(|route| route.id == changed.id) {
            *route = changed.clone();
        }
        for action in before.into_iter().chain([after]) {
            self.room_media(&room, action);
        }
        Ok(reply)
    }

    /// Delete audioRoutingGroup: everyone in the mix hears its source again, if it is there.
    pub(super) fn delete_route(&mut self, call: &Conversation, id: &str) -> Result<Reply, Fault> {
        let room = group(call)?.room.clone();
        let place = self.rooms.get_mut(&room).ok_or_else(Fault::no_call)?;
        let own = |one: &AudioRoutingGroup| one.id.as_deref() == Some(id);
        let at = place.routes.iter().position(own).ok_or_else(no_route)?;
        let route = place.routes.remove(at);
        if let Some(action) = released(place, &route) {
            self.room_media(&room, action);
        }
        Ok(Reply::NoContent)
    }
}

impl Room {
    /// A seat shows its screen, in place of whoever did.
    fn share(&mut self, seat: u32, id: String) {
        if let Some((other, _)) = self.sharing {
            if other == seat {
                return;
            }
            self.stop_sharing(other);
        }
        self.sharing_news.push((ChangeType::Created, id.clone()));
        self.sharing = Some((seat, id));
        self.changed(seat);
    }

    pub(super) fn stop_sharing(&mut self, seat: u32) {
        if let Some((_, id)) = self.sharing.take_if(|(sharer, _)| *sharer == seat) {
            self.sharing_news.push((ChangeType::Deleted, id));
            self.changed(seat);
        }
    }
}

fn session(id: &str) -> ContentSharingSession {
    ContentSharingSession {
        id: Some(id.to_owned()),
        ..ContentSharingSession::default()
    }
}

fn no_route() -> Fault {
    Fault {
        message: "Audio routing group not found.".to_owned(),
        ..Fault::no_operation()
    }
}

/// What a group does to the conference, if it keeps the rules (resource page of
/// `audioRoutingGroup`).
fn routed(room: &Room, route: &AudioRoutingGroup) -> Result<RoomAction, Fault> {
    let sources = route.sources.as_deref().unwrap_or_default();
    let receivers = route.receivers.as_deref().unwrap_or_default();
    let [source] = sources else {
        return Err(Fault::property("sources", "a group has one source"));
    };
    match route.routing_mode {
        Some(RoutingMode::OneToOne) if receivers.len() == 1 => {}
        Some(RoutingMode::Multicast) if !receivers.is_empty() => {}
        Some(RoutingMode::OneToOne | RoutingMode::Multicast) => {
            let rule = "oneToOne has one receiver, multicast at least one";
            return Err(Fault::property("receivers", rule));
        }
        _ => {
            let rule = "oneToOne and multicast are supported";
            return Err(Fault::property("routingMode", rule));
        }
    }
    let seat = |property: &str, participant: &String| {
        let found = room.number_of(participant);
        found.ok_or_else(|| Fault::property(property, "it must be a participant of the call"))
    };
    let receivers = receivers.iter().map(|one| seat("receivers", one));
    let receivers: BTreeSet<u32> = receivers.collect::<Result<_, _>>()?;
    Ok(RoomAction::Route {
        seat: seat("sources", source)?,
        receivers: Some(receivers),
    })
}

fn released(room: &Room, route: &AudioRoutingGroup) -> Option<RoomAction> {
    let source = route.sources.as_ref()?.first()?;
    Some(RoomAction::Route {
        seat: room.number_of(source)?,
        receivers: None,
    })
}
