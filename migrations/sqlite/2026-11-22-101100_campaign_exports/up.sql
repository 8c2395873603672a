-- Files of campaigns that are completed, and what is to be seen of campaigns at a glance.

-- why it has this status, if nobody asked for it: budget_reached
ALTER TABLE campaigns ADD COLUMN status_reason TEXT;
-- when its files were made; what they hold
ALTER TABLE campaigns ADD COLUMN exported_at INTEGER;
ALTER TABLE campaigns ADD COLUMN export_metadata TEXT CHECK (export_metadata IS NULL OR json_valid(export_metadata));
CREATE INDEX campaigns_to_export ON campaigns (id) WHERE status = 'completed' AND exported_at IS NULL;
CREATE INDEX outbox_of_campaign ON outbox (record_id, id) WHERE type = 'campaign_lifecycle';

-- Leads of a campaign are read in the order of their ids.
CREATE INDEX enhanced_leads_of_campaign_by_id ON enhanced_leads (campaign_id, id) WHERE campaign_id IS NOT NULL;
DROP INDEX enhanced_leads_of_campaign;

CREATE TABLE campaign_exports (
    campaign_id TEXT NOT NULL,
    agency_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    -- as it is downloaded
    name        TEXT NOT NULL,
    content     BLOB NOT NULL,
    -- bytes
    size        INTEGER NOT NULL,
    made_at     INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, name),
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
) STRICT;

-- Under the names of the system that agencies switch over from.
CREATE VIEW campaign_lifecycle_dashboard AS
SELECT c.agency_id,
       c.account_id,
       c.id AS campaign_id,
       c.name AS campaign_name,
       c.status AS campaign_status,
       c.user_id,
       c.created_at AS campaign_created,
       p.status AS processing_status,
       coalesce(p.total_leads, 0) AS total_leads,
       coalesce(p.processed_leads, 0) AS processed_leads,
       coalesce(p.qualified_leads, 0) AS qualified_leads,
       coalesce(p.error_leads, 0) AS error_leads,
       coalesce(p.processing_cost, 0) AS processing_cost,
       p.current_stage,
       coalesce(p.stage_progress, 0) AS stage_progress,
       p.started_at AS processing_started,
       p.completed_at AS processing_completed,
       p.estimated_completion,
       round(coalesce(p.processed_leads * 100.0 / nullif(p.total_leads, 0), 0), 2) AS completion_percentage,
       round(coalesce(p.qualified_leads * 100.0 / nullif(p.processed_leads, 0), 0), 2) AS qualification_rate,
       (SELECT count(*) FROM campaign_lifecycle_log l
         WHERE l.campaign_id = c.id
           AND l.created_at > CAST((julianday('now') - 2440588.5) * 86400000000 AS INTEGER)) AS recent_events_count,
       -- of every endpoint that wanted the newest event; none if nobody did
       (SELECT min(d.state = 'delivered') FROM deliveries d
         WHERE d.outbox_id = (SELECT max(o.id) FROM outbox o
                               WHERE o.record_id = c.id AND o.type = 'campaign_lifecycle')) AS last_webhook_successful
  FROM campaigns c LEFT JOIN campaign_processing_status p ON p.campaign_id = c.id;

-- Enrichments of a campaign that is pending wait at the end of time, which is the first day of 9999: whoever begins it,
-- begins them.
CREATE TRIGGER campaigns_begun AFTER UPDATE OF status ON campaigns
WHEN OLD.status = 'pending' AND NEW.status IS NOT OLD.status
BEGIN
    UPDATE enrichments SET next_try = CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
     WHERE lead_id IN (SELECT id FROM enhanced_leads WHERE campaign_id = NEW.id)
       AND finished_at IS NULL AND next_try = 253370764800000000;
END;

-- As it was, and why.
DROP TRIGGER campaigns_status;
CREATE TRIGGER campaigns_status AFTER UPDATE OF status ON campaigns
WHEN NEW.status IS NOT OLD.status
BEGIN
    INSERT INTO campaign_lifecycle_log (agency_id, account_id, campaign_id, lifecycle_event, previous_state, new_state,
                                        event_data)
    VALUES (NEW.agency_id, NEW.account_id, NEW.id,
            CASE NEW.status WHEN 'processing' THEN 'processing_started'
                            WHEN 'completed' THEN 'completed'
                            WHEN 'error' THEN 'error'
                            WHEN 'cancelled' THEN 'cancelled'
                            ELSE 'status_changed' END,
            OLD.status, NEW.status, json_object(
                'old_status', OLD.status, 'new_status', NEW.status, 'status_changed_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
                'leads_found', NEW.leads_found, 'total_cost', NEW.total_cost, 'reason', NEW.status_reason));
END;
