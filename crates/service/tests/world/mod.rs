//! A world on virtual time: people with telephones, runners that are killed.

pub(crate) mod people;
pub(crate) mod time;
