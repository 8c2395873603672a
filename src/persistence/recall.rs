//! What is left over in the inbox, read again.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Keep, Store, persister::park};
use crate::{
    domain::{AccountId, SourceId, Timestamp, envelope::NewLead, message::Happening},
    inbox::{Inbox, Kept, Unstored},
};

/// Reads again what an event leaves in the store, for those whose envelope does not say it all.
pub trait Recall: Send + Sync {
    /// From the item; `None` while it is not known yet whose account that is, since the database has been away from the
    /// start on.
    ///
    /// # Errors
    /// In words, if that can't be read any more.
    fn keep(
        &self,
        account: AccountId,
        source: SourceId,
        item: &str,
        received_at: Timestamp,
    ) -> Result<Option<Keep>, String>;
}

/// What an event of the inbox leaves in the store. One that can't be read is parked: it would be read for ever.
pub(super) async fn read_back(inbox: &Inbox, recall: &dyn Recall, unstored: Unstored) -> Option<Store> {
    let Unstored { id, account, from } = unstored;
    let what = match from {
        Kept::Envelope(envelope) => kept(&envelope).map(Some).map_err(|error| error.to_string()),
        Kept::Item { source, item, received_at } => recall.keep(account, source, &item, received_at),
        Kept::Nowhere => Err("its envelope is not in the log".to_owned()),
    };
    match what {
        Ok(what) => Some(Store { account, event: id, what: what? }),
        Err(why) => {
            park(inbox, id, format!("what it leaves can't be read: {why}")).await;
            None
        }
    }
}

/// What a logged envelope leaves in the store.
fn kept(envelope: &[u8]) -> serde_json::Result<Keep> {
    #[derive(Deserialize)]
    struct Logged<'a> {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        payload: &'a RawValue,
    }
    let Logged { kind, payload } = serde_json::from_slice(envelope)?;
    let payload = payload.get();
    Ok(match kind.as_ref() {
        "new_lead" => Keep::Lead(Box::new(serde_json::from_str::<NewLead>(payload)?.lead)),
        "message:new" => Keep::Happening(Happening::Message(serde_json::from_str(payload)?)),
        "source:health" => Keep::Nothing,
        _ => Keep::Happening(Happening::Change(serde_json::from_str(payload)?)),
    })
}
