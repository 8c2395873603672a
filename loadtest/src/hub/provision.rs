//! Agencies, accounts, users and sources, added with the hub's command line.

use anyhow::{Context, Result};

use super::{Hub, PASSWORD};

/// An account with a connected page and somebody who works on it.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// `agc_…`
    pub agency: String,
    /// `acc_…`
    pub account: String,
    /// The page's id at the platform.
    pub page: u64,
    /// `src_…`
    pub source: String,
    /// `usr_…`: a manager of the account.
    pub user: String,
    /// With [`PASSWORD`] this signs the user in.
    pub email: String,
    /// A token for the user: for sockets, and as a bearer token for the REST interface.
    pub token: String,
}

impl Tenant {
    /// The room of the account.
    #[must_use]
    pub fn room(&self) -> String {
        format!("account:{}", self.account)
    }

    /// The room of those who operate it.
    #[must_use]
    pub fn operators_room(&self) -> String {
        format!("operators:{}", self.account)
    }
}

/// Changes that are made while the hub runs are noticed by it within `store.directory_interval`.
impl Hub {
    /// Adds an agency; its id.
    ///
    /// # Errors
    /// If the command fails, as with all of these.
    pub async fn add_agency(&self, name: &str) -> Result<String> {
        self.run(&["agency", "add", "--name", name], &[]).await
    }

    /// Adds an account to an agency; its id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_account(&self, agency: &str, name: &str) -> Result<String> {
        self.run(&["account", "add", "--agency", agency, "--name", name], &[]).await
    }

    /// Adds a user with [`PASSWORD`] and roles in accounts: `(account, role)`; its id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_user(&self, agency: &str, email: &str, name: &str, roles: &[(&str, &str)]) -> Result<String> {
        let members: Vec<String> = roles.iter().map(|(account, role)| format!("{account}={role}")).collect();
        let mut arguments = vec!["user", "add", "--agency", agency, "--email", email, "--name", name];
        for member in &members {
            arguments.extend(["--member", member.as_str()]);
        }
        self.run(&arguments, &[("LEADWIRE_PASSWORD", PASSWORD)]).await
    }

    /// Connects a page of the hub's own app to an account; the source's id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_source(&self, account: &str, page: u64, name: &str, token: &str) -> Result<String> {
        let page = page.to_string();
        let arguments = ["source", "add", "meta", "--account", account, "--page", &page, "--name", name];
        self.run(&arguments, &[("LEADWIRE_TOKEN", token)]).await
    }

    /// Connects a page of an app of the agency's own, with a webhook address of its own; the source's id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_own_app_source(
        &self,
        account: &str,
        page: u64,
        token: &str,
        app_secret: &str,
        verify_token: &str,
    ) -> Result<String> {
        let page = page.to_string();
        let arguments =
            ["source", "add", "meta", "--account", account, "--page", &page, "--name", "Own app", "--own-app"];
        let secrets =
            [("LEADWIRE_TOKEN", token), ("LEADWIRE_APP_SECRET", app_secret), ("LEADWIRE_VERIFY_TOKEN", verify_token)];
        self.run(&arguments, &secrets).await
    }

    /// Connects an account at Unipile, whose webhooks carry this secret; the source's id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_unipile(&self, account: &str, unipile_account: &str, secret: &str) -> Result<String> {
        let arguments =
            ["source", "add", "unipile", "--account", account, "--unipile-account", unipile_account, "--name", "Inbox"];
        self.run(&arguments, &[("LEADWIRE_TOKEN", "api-key"), ("LEADWIRE_APP_SECRET", secret)]).await
    }

    /// Connects an account at Unipile whose API is there and opens for this key; its webhooks carry a secret that the hub
    /// makes. The source's id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_unipile_at(&self, account: &str, unipile_account: &str, dsn: &str, key: &str) -> Result<String> {
        let source = ["source", "add", "unipile", "--account", account, "--unipile-account", unipile_account];
        let arguments = [&source[..], &["--name", "Inbox", "--dsn", dsn]].concat();
        self.run(&arguments, &[("LEADWIRE_TOKEN", key)]).await
    }

    /// Connects a prospecting database to an account; its webhooks carry this token. The source's id.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_prospecting(&self, account: &str, token: &str) -> Result<String> {
        let arguments = ["source", "add", "prospecting", "--account", account, "--name", "Prospecting"];
        self.run(&arguments, &[("LEADWIRE_APP_SECRET", token)]).await
    }

    /// Replaces the token of a source.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn set_source_token(&self, source: &str, token: &str) -> Result<()> {
        self.run(&["source", "set-token", source], &[("LEADWIRE_TOKEN", token)]).await.map(drop)
    }

    /// Adds an API key, for one account or for all of the agency; the key itself.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn add_key(&self, agency: &str, account: Option<&str>, role: &str) -> Result<String> {
        let mut arguments = vec!["key", "add", "--agency", agency, "--role", role, "--name", "Test"];
        if let Some(account) = account {
            arguments.extend(["--account", account]);
        }
        self.run(&arguments, &[]).await
    }

    /// Issues a token for a user.
    ///
    /// # Errors
    /// If the command fails.
    pub async fn issue_token(&self, user: &str) -> Result<String> {
        self.run(&["token", "issue", "--user", user], &[]).await
    }

    /// Adds an agency with one account, a page connected to it, and a manager.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn add_tenant(&self, name: &str, page: u64, page_token: &str) -> Result<Tenant> {
        let agency = self.add_agency(&format!("{name} agency")).await?;
        self.add_tenant_of(&agency, name, page, page_token).await
    }

    /// The same within an agency that is there.
    ///
    /// # Errors
    /// If a command fails.
    pub async fn add_tenant_of(&self, agency: &str, name: &str, page: u64, page_token: &str) -> Result<Tenant> {
        let account = self.add_account(agency, name).await?;
        let source = self.add_source(&account, page, &format!("{name} page"), page_token).await?;
        let email = format!("manager-{page}@agency.example");
        let user = self.add_user(agency, &email, "Mo Manager", &[(&account, "manager")]).await?;
        let token = self.issue_token(&user).await.context("no token for the user")?;
        Ok(Tenant { agency: agency.to_owned(), account, page, source, user, email, token })
    }
}
