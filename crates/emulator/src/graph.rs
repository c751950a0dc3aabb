//! Graph's HTTP: who asks, what for, and the answer in Graph's form.

mod asked;
mod meetings;
mod oversee;
mod refuse;
mod routes;
mod shape;

pub(crate) use routes::router;
