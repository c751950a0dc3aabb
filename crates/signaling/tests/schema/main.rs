//! Walks the facts of Graph's schema (`graph-comms.tsv`, made by `scripts/list-graph-schema`):
//! every enumeration member, property and operation has its place in our types, what is written
//! is what was read, and what is new to us is kept.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]
#![allow(clippy::unwrap_used)]

mod facts;
mod operations;
mod sample;
mod types;
