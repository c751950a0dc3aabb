//! Where reminders are kept: SQLite in a file of ours, or PostgreSQL for several
//! instances.
//!
//! Both run the same statements, and one test suite. Every change is one transaction:
//! read, ask the state machine of `switchboard-reminders`, write. Whoever claims takes
//! rows that nobody else is looking at (`FOR UPDATE SKIP LOCKED`; SQLite has one writer
//! anyway), no more than all instances may have together, and gets a token without which
//! nothing can be reported.
//!
//! A database that is locked, full or gone is a [`StoreError`] that says so, and leaves
//! nothing half-written.

#![forbid(unsafe_code)]

mod calls;
mod claim;
mod error;
mod news;
mod openings;
mod requests;
mod rooms;
mod rows;
mod store;

pub use calls::{Instance, KeptCall};
pub use error::StoreError;
pub use news::Topic;
pub use requests::{Idempotency, Noted};
pub use rooms::KeptRoom;
pub use store::{Claimed, Counts, Cursor, Inserted, Page, Query, Report, Store, StoreConfig};
