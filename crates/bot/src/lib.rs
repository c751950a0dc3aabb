//! Calling bots: a conversation over call control and media
