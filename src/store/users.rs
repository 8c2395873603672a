//! People, and what they may do where.

use diesel::prelude::*;
use secrecy::{ExposeSecret, SecretString};

use super::{
    check,
    engine::run,
    error::Result,
    handle::Store,
    schema::{memberships, users},
    types::{At, Word},
};
use crate::domain::{AccountId, AgencyId, Role, UserId, clock};

/// A person to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their tenant.
    pub agency: AgencyId,
    /// What they sign in with; kept in lower case, unique in the hub.
    pub email: String,
    /// For people.
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: SecretString,
}

/// A row of `users`. It can't be printed: it has the password's hash in it.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub(super) struct UserRow {
    pub id: Word<UserId>,
    pub agency_id: Word<AgencyId>,
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub disabled: bool,
    pub token_epoch: i64,
    pub created_at: At,
}

/// A row of `memberships`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships, treat_none_as_default_value = false)]
pub(super) struct MembershipRow {
    pub user_id: Word<UserId>,
    pub account_id: Word<AccountId>,
    pub agency_id: Word<AgencyId>,
    pub role: Word<Role>,
}

impl Store {
    /// Adds a person, who is no member of any account yet.
    ///
    /// # Errors
    /// [`super::StoreError::Conflict`] if somebody has the address already, [`super::StoreError::NotFound`] if there
    /// is no such agency, [`super::StoreError::Rejected`] if the address is not one.
    pub async fn add_user(&self, user: NewUser) -> Result<UserId> {
        let email = user.email.trim().to_lowercase();
        check::filled("email", &email)?;
        check::key("name", &user.name)?;
        let id = UserId::generate();
        let row = UserRow {
            id: Word(id),
            agency_id: Word(user.agency),
            email,
            name: user.name,
            password_hash: user.password_hash.expose_secret().to_owned(),
            disabled: false,
            token_epoch: 0,
            created_at: At(clock::now()),
        };
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::users::add(c, &row, &trail).await)?;
        Ok(id)
    }

    /// Says what a person may do in an account of their agency; `None`: nothing. What they answered for there as a manager is
    /// left behind when they are none any more.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such user, or no such account in their agency.
    pub async fn set_membership(&self, user: UserId, account: AccountId, role: Option<Role>) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::users::set_membership(c, user, account, role, &trail).await)
    }

    /// Lets a person sign in no more, or again. What a disabled person answered for is left behind.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such user.
    pub async fn set_user_disabled(&self, user: UserId, disabled: bool) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::users::set_disabled(c, user, disabled, &trail).await)
    }

    /// Replaces a password, and with it every token issued before.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such user.
    pub async fn set_password(&self, user: UserId, password_hash: &SecretString) -> Result<()> {
        let (hash, trail) = (password_hash.clone(), self.trail().clone());
        run!(self, Change, |c, q| q::users::set_password(c, user, hash.expose_secret(), &trail).await)
    }

    /// Makes every token issued to a person before invalid.
    ///
    /// # Errors
    /// [`super::StoreError::NotFound`] if there is no such user.
    pub async fn bump_token_epoch(&self, user: UserId) -> Result<()> {
        let trail = self.trail().clone();
        run!(self, Change, |c, q| q::users::bump_token_epoch(c, user, &trail).await)
    }
}
