//! Graph's HTTP: who asks, what for, and the answer in Graph's form.

mod refuse;
mod routes;

pub(crate) use routes::router;
