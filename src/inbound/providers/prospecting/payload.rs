//! The shapes of bodies, as far as routing them, answering them and telling one from another needs.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::raw::{read, text};
use crate::domain::EventId;

/// A POST, whichever of the shapes it has.
#[derive(Deserialize)]
pub struct Body<'a> {
    #[serde(borrow)]
    pub event_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub account_id: Option<&'a RawValue>,
    /// Theirs, of a row of the hub's that came from another database.
    #[serde(borrow)]
    pub external_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub webhook_metadata: Option<&'a RawValue>,
    // Of leads.
    #[serde(borrow)]
    pub lead_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub business_name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub location: Option<&'a RawValue>,
    #[serde(borrow)]
    pub lead_data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub enrichment_stage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub old_status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub new_status: Option<&'a RawValue>,
    // Of costs and alerts.
    #[serde(borrow)]
    pub cost_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub api_service: Option<&'a RawValue>,
    #[serde(borrow)]
    pub cost: Option<&'a RawValue>,
    #[serde(borrow)]
    pub alert_type: Option<&'a RawValue>,
    #[serde(borrow)]
    pub threshold_name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub alert_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub trigger_time: Option<&'a RawValue>,
    // Of campaigns.
    #[serde(borrow)]
    pub campaign_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub lifecycle_event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub event_data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub processing_status: Option<&'a RawValue>,
    // Of whole rows, as Supabase's webhooks have them.
    #[serde(borrow, rename = "type")]
    pub operation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub table: Option<&'a RawValue>,
    #[serde(borrow)]
    pub record: Option<&'a RawValue>,
    #[serde(borrow)]
    pub old_record: Option<&'a RawValue>,
}

/// What stands within.
#[derive(Deserialize)]
pub struct Inner<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub account_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub business_name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub trigger_event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub trigger_source: Option<&'a RawValue>,
    #[serde(borrow)]
    pub trigger_time: Option<&'a RawValue>,
    #[serde(borrow)]
    pub alert_triggered_at: Option<&'a RawValue>,
    #[serde(borrow)]
    pub qualified_leads: Option<&'a RawValue>,
    #[serde(borrow)]
    pub new_progress: Option<&'a RawValue>,
    #[serde(borrow)]
    pub stage_progress: Option<&'a RawValue>,
}

/// What a body is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A lead was found.
    Lead,
    /// A lead has another status.
    Status,
    /// A call has cost something.
    Cost,
    /// Too much was spent.
    Alert,
    /// Something happened to a campaign.
    Campaign,
    /// A row of one of the tables.
    Row(Table),
    /// Anything else.
    Other,
}

/// A table, by what its rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Leads,
    Costs,
    Campaigns,
    Other,
}

impl<'a> Body<'a> {
    pub fn of(item: &'a str) -> Option<Self> {
        read(item)
    }

    pub fn shape(&self) -> Shape {
        if let Some(table) = text(self.table)
            && (self.record.is_some() || self.old_record.is_some())
        {
            return Shape::Row(match table.to_lowercase().as_str() {
                "enhanced_leads" | "leads" => Table::Leads,
                "api_costs" => Table::Costs,
                "campaigns" => Table::Campaigns,
                _ => Table::Other,
            });
        }
        if self.lifecycle_event.is_some() {
            Shape::Campaign
        } else if self.alert_type.is_some() || self.threshold_name.is_some() {
            Shape::Alert
        } else if self.api_service.is_some() && self.cost.is_some() {
            Shape::Cost
        } else if self.new_status.is_some() || self.old_status.is_some() {
            Shape::Status
        } else if self.lead_id.is_some() || self.lead_data.is_some() {
            Shape::Lead
        } else {
            Shape::Other
        }
    }

    /// The id of an event of the hub's own.
    pub fn own_event(&self) -> Option<EventId> {
        text(self.event_id)?.parse().ok()
    }

    /// An object in it.
    pub fn inner(raw: Option<&'a RawValue>) -> Option<Inner<'a>> {
        read(raw?.get())
    }

    /// The name of the lead's business, wherever it stands.
    pub fn business(&self) -> Option<&'a RawValue> {
        let row = || Self::inner(self.record).and_then(|row| row.business_name.or(row.name));
        let data = || Self::inner(self.lead_data).and_then(|data| data.business_name.or(data.name));
        self.business_name.or_else(data).or_else(row)
    }

    /// The id of the row that it is about.
    pub fn record_id(&self) -> Option<Cow<'a, str>> {
        let row = || Self::inner(self.record.or(self.old_record)).and_then(|row| row.id);
        text(match self.shape() {
            Shape::Lead | Shape::Status => {
                self.lead_id.or_else(|| Self::inner(self.lead_data).and_then(|data| data.id))
            }
            Shape::Cost => self.cost_id,
            Shape::Campaign => self.campaign_id,
            Shape::Row(_) => row(),
            Shape::Alert => self.threshold_name.or(self.alert_type),
            Shape::Other => None,
        })
    }
}
