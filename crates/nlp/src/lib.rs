//! The hook between transient speech features and intents
