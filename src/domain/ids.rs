//! Prefixed ids: 128 bits shown as `acc_` and 26 characters of Crockford base 32.
//!
//! New ones are ULIDs, so that they sort by age. Ids that must come out the same for the same thing (an event that is
//! delivered twice, a lead that is fetched twice) are derived with SHA-256 from what names it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form {prefix}<26 characters>")]
pub struct ParseIdError {
    prefix: &'static str,
    text: String,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A fresh id; later ones sort after earlier ones.
            #[must_use]
            pub fn generate() -> Self {
                Self(Ulid::generate().0)
            }

            /// The id that these parts always name.
            #[must_use]
            pub fn derive(parts: &[&[u8]]) -> Self {
                Self(digest(parts))
            }

            /// The same id with its first half replaced by a number: sorts by it, and its other 64 bits still tell it
            /// from all others of that number.
            #[must_use]
            pub const fn sorted_by(self, number: u64) -> Self {
                Self((number as u128) << 64 | self.0 & (u128::MAX >> 64))
            }

            /// The 16 bytes behind the text.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// Back from [`Self::to_bytes`]; `None` unless there are 16.
            #[must_use]
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; ulid::ULID_LEN];
                f.write_str($prefix)?;
                f.write_str(Ulid(self.0).array_to_str(&mut text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .filter(|rest| rest.len() == ulid::ULID_LEN)
                    .and_then(|rest| Ulid::from_string(rest).ok())
                    .map(|id| Self(id.0))
                    .ok_or_else(|| ParseIdError { prefix: $prefix, text: text.chars().take(64).collect() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A tenant.
    AgencyId = "agc_";
    /// One client business of an agency.
    AccountId = "acc_";
    /// A person who signs in.
    UserId = "usr_";
    /// A connected outside thing that sends webhooks.
    SourceId = "src_";
    /// A prospecting campaign; of one in a database that is not the hub's, derived from the account and its id there.
    CampaignId = "cmp_";
    /// What a call in prospecting has cost; derived in the same way.
    CostId = "cost_";
    /// One thing that happened at a platform; the same however often it is delivered.
    EventId = "evt_";
    /// A lead; derived from the account and the platform's own lead id.
    LeadId = "lead_";
    /// A chat; derived from the account, the source and the platform's own id.
    ChatId = "chat_";
    /// A message; derived from the same.
    MessageId = "msg_";
    /// A reply on its way to a platform.
    SendId = "snd_";
    /// Where webhooks of the hub go.
    EndpointId = "ep_";
    /// A person's wish to have deliveries made again.
    ReplayId = "rpl_";
    /// What an account's spending is held against.
    ThresholdId = "thr_";
    /// An alert that costs have raised.
    AlertId = "alr_";
    /// A key for programs.
    ApiKeyId = "key_";
    /// An agency's own token issuer.
    IssuerId = "iss_";
    /// One connected dashboard.
    SessionId = "ses_";
    /// A record of what somebody did.
    AuditId = "aud_";
}

/// First 128 bits of SHA-256 over the parts, each with its length before it, so that ("ab","c") and ("a","bc") differ.
fn digest(parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_its_bytes() {
        let id = AccountId::generate();
        assert_eq!(id.to_string().parse::<AccountId>(), Ok(id));
        assert_eq!(AccountId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(id.to_string().len(), 30);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let user = UserId::generate().to_string();
        assert!(user.parse::<AccountId>().is_err());
        assert!("acc_".parse::<AccountId>().is_err());
        assert!("acc_💥".parse::<AccountId>().is_err());
    }

    #[test]
    fn an_id_sorted_by_a_number_keeps_the_rest_of_itself() {
        let (low, high) = (EventId::derive(&[b"a"]).sorted_by(7), EventId::derive(&[b"b"]).sorted_by(8));
        assert!(low < high && EventId::derive(&[b"z"]).sorted_by(8) > low);
        assert_ne!(EventId::derive(&[b"a"]).sorted_by(8), high);
        assert_eq!(low.to_bytes()[8..], EventId::derive(&[b"a"]).to_bytes()[8..]);
        assert_eq!(low.to_string().parse::<EventId>(), Ok(low));
    }

    #[test]
    fn a_derived_id_depends_on_where_its_parts_end() {
        assert_eq!(LeadId::derive(&[b"a", b"b"]), LeadId::derive(&[b"a", b"b"]));
        assert_ne!(LeadId::derive(&[b"ab", b"c"]), LeadId::derive(&[b"a", b"bc"]));
    }
}
