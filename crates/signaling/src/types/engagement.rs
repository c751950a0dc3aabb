//! Questions and answers beside a meeting (`engagementConversation` and what belongs to it).

use super::identity::Identity;
use super::meeting::OnlineMeeting;
use super::object::{graph_enum, graph_enum_shown, graph_object, graph_union};
use super::text::ItemBody;

graph_enum! {
    /// A reaction to a message (`engagementConversationMessageReactionType`).
    pub enum ReactionType {
        /// Like.
        Like = "like",
        /// Love.
        Love = "love",
        /// Celebrate.
        Celebrate = "celebrate",
        /// Thank.
        Thank = "thank",
        /// Laugh.
        Laugh = "laugh",
        /// Sad.
        Sad = "sad",
        /// Happy.
        Happy = "happy",
        /// Excited.
        Excited = "excited",
        /// Smile.
        Smile = "smile",
        /// Silly.
        Silly = "silly",
        /// Intense laugh.
        IntenseLaugh = "intenseLaugh",
        /// Star struck.
        StarStruck = "starStruck",
        /// Goofy.
        Goofy = "goofy",
        /// Thinking.
        Thinking = "thinking",
        /// Surprised.
        Surprised = "surprised",
        /// Mind blown.
        MindBlown = "mindBlown",
        /// Scared.
        Scared = "scared",
        /// Crying.
        Crying = "crying",
        /// Shocked.
        Shocked = "shocked",
        /// Angry.
        Angry = "angry",
        /// Agree.
        Agree = "agree",
        /// Praise.
        Praise = "praise",
        /// Taking notes.
        TakingNotes = "takingNotes",
        /// Heart broken.
        HeartBroken = "heartBroken",
        /// Support.
        Support = "support",
        /// Confirmed.
        Confirmed = "confirmed",
        /// Watching.
        Watching = "watching",
        /// Brain.
        Brain = "brain",
        /// Medal.
        Medal = "medal",
        /// Bull's-eye.
        Bullseye = "bullseye",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// Where a question stands (`engagementConversationModerationState`).
    pub enum ModerationState {
        /// Shown to all.
        Published = "published",
        /// Waiting for a moderator.
        PendingReview = "pendingReview",
        /// Turned down.
        Dismissed = "dismissed",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum! {
    /// How it came to be (`engagementCreationMode`).
    pub enum EngagementCreationMode {
        /// In the ordinary way.
        None = "none",
        /// Moved here from elsewhere.
        Migration = "migration",
        /// Graph's placeholder for members added later.
        UnknownFutureValue = "unknownFutureValue",
    }
}

graph_enum_shown!(ReactionType, ModerationState, EngagementCreationMode);

graph_object! {
    /// Who wrote or reacted (`engagementIdentitySet`).
    pub struct EngagementIdentitySet as "#microsoft.graph.engagementIdentitySet" {
        /// An application.
        pub application: Identity,
        /// The audience.
        pub audience: Identity,
        /// A device.
        pub device: Identity,
        /// A group.
        pub group: Identity,
        /// A user.
        pub user: Identity,
    }
}

graph_union! {
    /// The conversation a message belongs to.
    pub enum Conversation {
        /// About a meeting.
        OnlineMeeting(OnlineMeetingEngagementConversation),
        /// No kind given.
        Any(EngagementConversation),
    }
}

graph_object! {
    /// A conversation (`engagementConversation`).
    pub struct EngagementConversation as "#microsoft.graph.engagementConversation" {
        /// The conversation's id; read-only.
        pub id: String,
        /// How it came to be.
        pub creation_mode: EngagementCreationMode,
        /// The id of the message that began it.
        pub starter_id: String,
        /// Its messages, when expanded.
        pub messages: Vec<EngagementConversationMessage>,
        /// The message that began it, when expanded.
        pub starter: Box<EngagementConversationMessage>,
    }
}

graph_object! {
    /// A conversation about a meeting (`onlineMeetingEngagementConversation`).
    pub struct OnlineMeetingEngagementConversation as "#microsoft.graph.onlineMeetingEngagementConversation" {
        /// The conversation's id; read-only.
        pub id: String,
        /// How it came to be.
        pub creation_mode: EngagementCreationMode,
        /// Where it stands.
        pub moderation_state: ModerationState,
        /// The meeting's id.
        pub online_meeting_id: String,
        /// The meeting's organizer.
        pub organizer: EngagementIdentitySet,
        /// The id of the message that began it.
        pub starter_id: String,
        /// How many want it answered.
        pub upvote_count: i32,
        /// Its messages, when expanded.
        pub messages: Vec<EngagementConversationMessage>,
        /// The meeting, when expanded.
        pub online_meeting: Box<OnlineMeeting>,
        /// The message that began it, when expanded.
        pub starter: Box<EngagementConversationMessage>,
    }
}

graph_object! {
    /// A message (`engagementConversationMessage`).
    pub struct EngagementConversationMessage as "#microsoft.graph.engagementConversationMessage" {
        /// The message's id; read-only.
        pub id: String,
        /// The text.
        pub body: ItemBody,
        /// When it was written; read-only.
        pub created_date_time: String,
        /// How it came to be.
        pub creation_mode: EngagementCreationMode,
        /// Who wrote it.
        pub from: EngagementIdentitySet,
        /// When it was last changed; read-only.
        pub last_modified_date_time: String,
        /// The id of the message it answers.
        pub reply_to_id: String,
        /// Its conversation, when expanded.
        pub conversation: Box<Conversation>,
        /// Reactions to it, when expanded.
        pub reactions: Vec<EngagementConversationMessageReaction>,
        /// Answers to it, when expanded.
        pub replies: Vec<EngagementConversationMessage>,
        /// The message it answers, when expanded.
        pub reply_to: Box<EngagementConversationMessage>,
    }
}

graph_object! {
    /// A reaction to a message (`engagementConversationMessageReaction`).
    pub struct EngagementConversationMessageReaction as "#microsoft.graph.engagementConversationMessageReaction" {
        /// The reaction's id; read-only.
        pub id: String,
        /// When; read-only.
        pub created_date_time: String,
        /// Who reacted.
        pub reaction_by: EngagementIdentitySet,
        /// How.
        pub reaction_type: ReactionType,
    }
}
