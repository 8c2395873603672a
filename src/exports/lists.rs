//! Files of what somebody asks for.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, stream::try_unfold};
use tokio::task::spawn_blocking;

use super::{Csv, ExportError, MOST, Row, Tally, Xlsx};
use crate::{
    domain::campaign::Campaign,
    store::{ExportFilter, ExportedLead, Store},
};

/// Leads of a campaign, page by page.
pub struct Leads {
    store: Store,
    campaign: Campaign,
    filter: ExportFilter,
    after: String,
}

impl Leads {
    /// Those of the campaign that the filter chooses.
    #[must_use]
    pub fn new(store: Store, campaign: Campaign, filter: ExportFilter) -> Self {
        Self { store, campaign, filter, after: String::new() }
    }

    /// The next page; empty: there are no more.
    ///
    /// # Errors
    /// [`ExportError::Store`]
    pub(super) async fn next(&mut self) -> Result<Vec<ExportedLead>, ExportError> {
        let Campaign { agency, account, id, .. } = &self.campaign;
        let page = self.store.campaign_leads(*agency, &[*account], id, self.filter, &self.after).await?;
        if let Some(last) = page.last() {
            self.after.clone_from(&last.prospect.id);
        }
        Ok(page)
    }
}

/// As CSV, a piece a page: nothing of it is kept in memory. One that can't be ended breaks off with an error.
#[must_use]
pub fn csv(leads: Leads) -> Pin<Box<dyn Stream<Item = Result<Bytes, ExportError>>>> {
    let begin = (leads, None::<Csv>);
    Box::pin(try_unfold(begin, async |(mut leads, csv)| {
        let is_first = csv.is_none();
        let mut csv = match csv {
            Some(csv) => csv,
            None => Csv::new()?,
        };
        let page = leads.next().await?;
        if page.is_empty() && !is_first {
            return Ok(None);
        }
        for lead in &page {
            csv.add(Row::new(&leads.campaign, lead))?;
        }
        let piece = Bytes::from(csv.take()?);
        Ok(Some((piece, (leads, Some(csv)))))
    }))
}

/// As a workbook.
///
/// # Errors
/// [`ExportError::TooMany`] beyond [`MOST`] leads.
pub async fn xlsx(mut leads: Leads) -> Result<Vec<u8>, ExportError> {
    let (mut xlsx, mut count) = (Xlsx::new()?, 0);
    loop {
        let page = leads.next().await?;
        count += page.len();
        if page.is_empty() {
            return aside(move || xlsx.into_bytes()).await;
        }
        if count > MOST {
            return Err(ExportError::TooMany);
        }
        let campaign = leads.campaign.clone();
        xlsx = aside(move || {
            for lead in &page {
                xlsx.add(Row::new(&campaign, lead))?;
            }
            Ok(xlsx)
        })
        .await?;
    }
}

/// Work that takes longer than others on the thread should wait.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    spawn_blocking(work).await.map_err(|error| ExportError::Unwritable(error.to_string()))?
}

/// Counted together.
///
/// # Errors
/// [`ExportError::Store`]
pub async fn tally(mut leads: Leads) -> Result<Tally, ExportError> {
    let mut tally = Tally::default();
    loop {
        let page = leads.next().await?;
        if page.is_empty() {
            return Ok(tally);
        }
        for lead in &page {
            tally.add(Row::new(&leads.campaign, lead));
        }
    }
}
