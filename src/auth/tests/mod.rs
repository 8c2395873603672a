//! The authenticator as a whole, on a sample directory.

mod issuers;
mod logins;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use super::{sample::Sample, *};
use crate::domain::{AccountId, IssuerId, Role, UserId, clock, directory::Directory};

const PASSWORD: &str = "correct horse battery";

#[derive(Default)]
struct Memory {
    revoked: Mutex<Vec<String>>,
    away: bool,
}

impl Revocations for Memory {
    fn revoke<'a>(&'a self, jti: &'a str, _: Timestamp, _: Leaving) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move {
            self.revoked.lock().unwrap().push(jti.to_owned());
            if self.away { Err(AuthError::Unavailable("the database is away")) } else { Ok(()) }
        })
    }
}

struct Hub {
    auth: Authenticator,
    directory: watch::Sender<Option<Arc<Directory>>>,
    memory: Arc<Memory>,
}

fn hub(directory: Directory, away: bool) -> Hub {
    hub_with(directory, away, None)
}

fn hub_with(directory: Directory, away: bool, anonymous: Option<AccountId>) -> Hub {
    let (sender, directory) = watch::channel(Some(Arc::new(directory)));
    let memory = Arc::new(Memory { away, ..Memory::default() });
    let auth = Authenticator::new(Options {
        directory,
        revocations: memory.clone(),
        tokens: OwnTokens::hs256(&[7; 32]),
        token_ttl: Duration::from_hours(1),
        jwks_ttl: Duration::from_mins(10),
        login_attempts: 2,
        origins: Origins::default(),
        anonymous,
    });
    Hub { auth: auth.unwrap(), directory: sender, memory }
}

impl Hub {
    async fn login(
        &self,
        email: &str,
        password: &str,
        address: &str,
        device: Option<&SecretString>,
    ) -> Result<Login, AuthError> {
        let (password, address) = (password.into(), Some(address.parse().unwrap()));
        let device = device.map(ExposeSecret::expose_secret);
        self.auth.login(Attempt { email, password, address, device }).await
    }

    async fn admit(&self, token: &str) -> Result<Principal, AuthError> {
        self.auth.authenticate(Credentials::token(token)).await
    }

    fn token(&self, subject: Subject) -> String {
        let until = clock::now() + chrono::Duration::hours(1);
        self.auth.issue(subject, until).unwrap().0.expose_secret().to_owned()
    }
}

#[tokio::test]
async fn a_client_without_a_login_is_let_in_only_where_the_settings_say_so() {
    let shows_nothing = |hub: &Hub, page: Page| {
        let auth = hub.auth.clone();
        async move { auth.authenticate_on_compat(Credentials { page, ..Credentials::default() }).await }
    };
    let strict = hub(Sample::new().directory, false);
    assert_eq!(shows_nothing(&strict, Page::Unsaid).await.unwrap_err(), AuthError::Missing);
    let sample = Sample::new();
    let hub = hub_with(sample.directory, false, Some(sample.account));
    let nobody = shows_nothing(&hub, Page::Unsaid).await.unwrap();
    assert!(shows_nothing(&hub, Page::Named).await.is_ok());
    for page in [Page::Foreign, Page::Own] {
        assert_eq!(shows_nothing(&hub, page).await.unwrap_err(), AuthError::Missing, "{page:?}");
    }
    assert_eq!((nobody.role_in(sample.account), nobody.accounts().len()), (Some(Role::Viewer), 1));
    assert!(hub.auth.issue(nobody.subject, clock::now()).is_err(), "it gets no token");
    assert_eq!(hub.auth.recheck(&nobody), Some(nobody.grants.clone()));
    hub.directory.send_replace(Some(Arc::new(Directory::default())));
    assert!(hub.auth.recheck(&nobody).is_none());
    assert!(matches!(shows_nothing(&hub, Page::Unsaid).await, Err(AuthError::Invalid(_))));
}

#[tokio::test]
async fn a_login_gives_a_token_that_lets_the_user_in_until_they_sign_out() {
    let mut sample = Sample::new();
    sample.user_mut().password_hash = password::hash(&PASSWORD.into()).unwrap();
    let hub = hub(sample.directory, false);
    let login = hub.login(" ADA@example.com", PASSWORD, "192.0.2.1", None).await.unwrap();
    assert_eq!(login.principal.subject, Subject::User(sample.user));
    let principal = hub.admit(login.token.expose_secret()).await.unwrap();
    assert_eq!(principal.role_in(sample.account), Some(Role::Agent));
    assert_eq!(principal.role_in(sample.other_account), None);
    assert_eq!(principal.expires_at, Some(login.expires_at));

    hub.auth.logout(&principal, None).await.unwrap();
    assert_eq!(*hub.memory.revoked.lock().unwrap(), [principal.jti.clone().unwrap()]);
    let refused = hub.admit(login.token.expose_secret()).await.unwrap_err();
    assert_eq!(refused, AuthError::Invalid("it was signed out"));
    assert!(hub.auth.recheck(&principal).is_none());
}

#[tokio::test]
async fn a_token_made_from_a_login_ends_with_it() {
    let sample = Sample::new();
    let hub = hub(sample.directory, false);
    let login = hub.admit(&hub.token(Subject::User(sample.user))).await.unwrap();
    let (socket_token, _) = hub.auth.derive(&login, login.expires_at.unwrap()).unwrap();
    assert!(hub.admit(socket_token.expose_secret()).await.is_ok());
    hub.auth.logout(&login, None).await.unwrap();
    assert!(hub.admit(socket_token.expose_secret()).await.is_err());
}

#[tokio::test]
async fn signing_out_holds_here_even_if_it_could_not_be_written_down() {
    let sample = Sample::new();
    let hub = hub(sample.directory, true);
    let token = hub.token(Subject::User(sample.user));
    let login = hub.admit(&token).await.unwrap();
    assert!(matches!(hub.auth.logout(&login, None).await, Err(AuthError::Unavailable(_))));
    assert!(hub.admit(&token).await.is_err());
}

#[tokio::test]
async fn a_later_epoch_a_disabled_user_and_a_revoked_token_are_seen_in_the_newest_directory() {
    let changes: [fn(&mut Sample, &str); 4] = [
        |sample, _| sample.user_mut().token_epoch += 1,
        |sample, _| sample.user_mut().disabled = true,
        |sample, jti| sample.directory.revoked_tokens.extend([jti.to_owned()]),
        |sample, _| sample.directory.users.clear(),
    ];
    for change in changes {
        let mut sample = Sample::new();
        let hub = hub(Directory::default(), false);
        hub.directory.send_replace(Some(Arc::new(std::mem::take(&mut sample.directory))));
        let token = hub.token(Subject::User(sample.user));
        let principal = hub.admit(&token).await.unwrap();
        let mut newer = Sample { directory: copy(hub.directory.borrow().as_ref().unwrap()), ..sample };
        change(&mut newer, principal.jti.as_deref().unwrap());
        hub.directory.send_replace(Some(Arc::new(newer.directory)));
        assert!(matches!(hub.admit(&token).await, Err(AuthError::Invalid(_))));
        assert!(hub.auth.recheck(&principal).is_none());
    }
}

fn copy(directory: &Directory) -> Directory {
    Directory {
        agencies: directory.agencies.clone(),
        accounts: directory.accounts.clone(),
        users: directory.users.clone(),
        ..Directory::default()
    }
}

#[tokio::test]
async fn nobody_is_let_in_before_the_directory_is_loaded() {
    let hub = hub(Directory::default(), false);
    hub.directory.send_replace(None);
    assert!(matches!(hub.admit("lw_x").await, Err(AuthError::Unavailable(_))));
    let login = hub.login("ada@example.com", PASSWORD, "192.0.2.1", None).await;
    assert!(matches!(login, Err(AuthError::Unavailable(_))));
}

#[tokio::test]
async fn a_key_lets_a_program_in_until_it_is_removed_and_never_from_a_cookie() {
    let mut sample = Sample::new();
    let secret = keys::generate().unwrap();
    let id = sample.add_key(Some(sample.account), Role::Manager, secret.expose_secret());
    let hub = hub(sample.directory, false);
    let program = hub.admit(secret.expose_secret()).await.unwrap();
    assert_eq!((program.subject, program.role_in(sample.account)), (Subject::ApiKey(id), Some(Role::Manager)));
    assert!(hub.admit("lw_another").await.is_err());
    let jar = Credentials::from(vec![Credential::Cookie(secret)]);
    assert!(hub.auth.authenticate(jar).await.is_err());
    let derived = hub.token(program.subject);
    assert_eq!(hub.admit(&derived).await.unwrap().subject, program.subject);
    assert!(matches!(hub.auth.logout(&program, None).await, Err(AuthError::Invalid(_))));
    hub.directory.send_replace(Some(Arc::default()));
    assert!(hub.admit(&derived).await.is_err());
}

#[tokio::test]
async fn the_first_good_credential_counts() {
    let sample = Sample::new();
    let hub = hub(sample.directory, false);
    let good = hub.token(Subject::User(sample.user));
    let stale = Credential::Cookie(SecretString::from("stale"));
    let both = Credentials::from(vec![stale.clone(), Credential::Token(good.into())]);
    assert!(hub.auth.authenticate(both).await.is_ok());
    assert!(matches!(hub.auth.authenticate(Credentials::from(vec![stale])).await, Err(AuthError::Invalid(_))));
    assert_eq!(hub.auth.authenticate(Credentials::default()).await.unwrap_err(), AuthError::Missing);
}
