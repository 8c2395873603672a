//! Two small agencies for this module's tests.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::domain::{
    AccountId, AgencyId, ApiKeyId, IssuerId, Role, UserId,
    directory::{Account, Agency, ApiKey, Directory, Issuer, IssuerKey, User},
};

/// An agency with one account and its agent Ada; another with one account and its owner Bob.
pub struct Sample {
    pub directory: Directory,
    pub agency: AgencyId,
    pub account: AccountId,
    pub user: UserId,
    pub other_account: AccountId,
    pub other_user: UserId,
}

impl Sample {
    pub fn new() -> Self {
        let mut directory = Directory::default();
        let (agency, account, user) = add_agency(&mut directory, "ada@example.com", Role::Agent);
        let (_, other_account, other_user) = add_agency(&mut directory, "bob@example.com", Role::Owner);
        let directory = directory.indexed();
        Self { directory, agency, account, user, other_account, other_user }
    }

    pub fn user_mut(&mut self) -> &mut User {
        self.directory.users.get_mut(&self.user).unwrap()
    }

    pub fn add_key(&mut self, account: Option<AccountId>, role: Role, secret: &str) -> ApiKeyId {
        let id = ApiKeyId::generate();
        let key =
            ApiKey { id, agency: self.agency, account, role, name: "import".into(), responsible: None, left: false };
        self.directory.api_keys.insert(super::keys::hash(secret), key);
        id
    }

    pub fn add_issuer(&mut self, iss: &str, key: IssuerKey) -> IssuerId {
        let (id, agency) = (IssuerId::generate(), self.agency);
        let audience = Some("dashboards".into());
        let issuer = Issuer { id, agency, iss: iss.into(), audience, trust_email: false, key };
        self.directory.issuers.insert(id, issuer);
        self.reindex();
        id
    }

    pub fn issuer_mut(&mut self, id: IssuerId) -> &mut Issuer {
        self.directory.issuers.get_mut(&id).unwrap()
    }

    pub fn reindex(&mut self) {
        self.directory = std::mem::take(&mut self.directory).indexed();
    }
}

fn add_agency(directory: &mut Directory, email: &str, role: Role) -> (AgencyId, AccountId, UserId) {
    let (agency, account, user) = (AgencyId::generate(), AccountId::generate(), UserId::generate());
    directory.agencies.insert(agency, Agency { id: agency, name: "Agency".into() });
    directory.accounts.insert(account, Account { id: account, agency, name: "Account".into() });
    let user_row = User {
        id: user,
        agency,
        email: email.into(),
        name: "Ada".into(),
        password_hash: "".into(),
        disabled: false,
        token_epoch: 0,
        memberships: HashMap::from([(account, role)]),
    };
    directory.users.insert(user, user_row);
    (agency, account, user)
}

/// An Ed25519 private key in PKCS#8 PEM form, made of one repeated byte.
pub fn ed25519_pem(byte: u8) -> String {
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([byte; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}
