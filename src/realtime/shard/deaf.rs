//! What a shard leans on, where nobody listens: for tests.

use actix::{Actor, Context, Handler};
use futures_util::future::{BoxFuture, ready};

use super::Tell;
use crate::{
    auth::{AuthError, Leaving, Revocations},
    domain::Timestamp,
};

/// Takes what is to be told, and tells nobody.
pub(super) struct Deaf;

impl Actor for Deaf {
    type Context = Context<Self>;
}

impl Handler<Tell> for Deaf {
    type Result = ();

    fn handle(&mut self, _: Tell, _: &mut Self::Context) {}
}

/// Nobody signs out here.
pub(super) struct Nowhere;

impl Revocations for Nowhere {
    fn revoke<'a>(&'a self, _: &'a str, _: Timestamp, _: Leaving) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(ready(Ok(())))
    }
}
