//! Graph's HTTP: who asks, what for, and the answer in Graph's form.

mod admitted;
mod appointments;
mod artifacts;
mod asked;
mod limits;
mod meetings;
mod oversee;
mod presence;
mod refuse;
mod replay;
mod routes;
mod rules;
mod shape;

pub(crate) use limits::Limits;
pub(crate) use replay::replay;
pub(crate) use routes::router;
