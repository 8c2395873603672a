//! `leadwire member`.

use clap::Subcommand;

use super::{database, table};
use crate::{
    config::Settings,
    domain::{AccountId, Role, UserId},
};

/// What people may do in which account.
#[derive(Debug, Subcommand)]
pub enum Member {
    /// Makes a user a member of an account, or changes their role there.
    Add {
        /// Who.
        #[arg(long)]
        user: UserId,
        /// Where; an account of the user's agency.
        #[arg(long)]
        account: AccountId,
        /// owner, manager, agent or viewer.
        #[arg(long)]
        role: Role,
    },
    /// Takes a user out of an account.
    Remove {
        /// Who.
        #[arg(long)]
        user: UserId,
        /// From where.
        #[arg(long)]
        account: AccountId,
    },
    /// Lists the members of an account.
    List {
        /// Of which.
        #[arg(long)]
        account: AccountId,
    },
}

impl Member {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let (store, directory) = database::with_directory(settings).await?;
        match self {
            Self::Add { user, account, role } => {
                let agency = database::user(&directory, user)?.agency;
                database::account_of(&directory, account, agency)?;
                store.set_membership(user, account, Some(role)).await?;
                eprintln!("{user} is now {role} in {account}.");
            }
            Self::Remove { user, account } => {
                database::user(&directory, user)?;
                database::account(&directory, account)?;
                store.set_membership(user, account, None).await?;
                eprintln!("{user} is no member of {account} any more.");
            }
            Self::List { account } => {
                database::account(&directory, account)?;
                let mut members: Vec<_> = directory
                    .users
                    .values()
                    .filter_map(|user| Some((user, *user.memberships.get(&account)?)))
                    .collect();
                members.sort_by_key(|(user, role)| (std::cmp::Reverse(*role), user.id));
                table::print(
                    ["id", "role", "email", "name"],
                    members.into_iter().map(|(user, role)| {
                        [user.id.to_string(), role.to_string(), user.email.clone(), user.name.clone()]
                    }),
                );
            }
        }
        Ok(())
    }
}

/// `acc_…=role`, for clap.
pub(super) fn parse(text: &str) -> Result<(AccountId, Role), String> {
    let (account, role) = text.split_once('=').ok_or("write it as acc_…=role")?;
    let account = account.parse().map_err(|error: crate::domain::ids::ParseIdError| error.to_string())?;
    let role = role.parse().map_err(|error: crate::domain::role::ParseRoleError| error.to_string())?;
    Ok((account, role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_an_account_and_a_role() {
        let account = AccountId::generate();
        assert_eq!(parse(&format!("{account}=agent")), Ok((account, Role::Agent)));
        assert!(parse(&account.to_string()).is_err());
        assert!(parse(&format!("{account}=boss")).unwrap_err().contains("is not a role"));
        assert!(parse("acc_1=agent").unwrap_err().contains("acc_<26 characters>"));
    }
}
