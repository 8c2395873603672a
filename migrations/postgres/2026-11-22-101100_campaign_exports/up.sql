-- Files of campaigns that are completed, and what is to be seen of campaigns at a glance.

ALTER TABLE campaigns
    -- why it has this status, if nobody asked for it: budget_reached
    ADD COLUMN status_reason TEXT,
    -- when its files were made; what they hold
    ADD COLUMN exported_at TIMESTAMPTZ,
    ADD COLUMN export_metadata JSONB;
CREATE INDEX campaigns_to_export ON campaigns (id) WHERE status = 'completed' AND exported_at IS NULL;
CREATE INDEX outbox_of_campaign ON outbox (record_id, id) WHERE type = 'campaign_lifecycle';

-- Leads of a campaign are read in the order of their ids.
CREATE INDEX enhanced_leads_of_campaign_by_id ON enhanced_leads (campaign_id, id) WHERE campaign_id IS NOT NULL;
DROP INDEX enhanced_leads_of_campaign;

CREATE TABLE campaign_exports (
    campaign_id TEXT COLLATE "C" NOT NULL,
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    -- as it is downloaded
    name        TEXT COLLATE "C" NOT NULL,
    content     BYTEA NOT NULL,
    -- bytes
    size        BIGINT NOT NULL,
    made_at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (campaign_id, name),
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
);

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
         WHERE l.campaign_id = c.id AND l.created_at > now() - interval '24 hours') AS recent_events_count,
       -- of every endpoint that wanted the newest event; none if nobody did
       (SELECT bool_and(d.state = 'delivered') FROM deliveries d
         WHERE d.outbox_id = (SELECT max(o.id) FROM outbox o
                               WHERE o.record_id = c.id AND o.type = 'campaign_lifecycle')) AS last_webhook_successful
  FROM campaigns c LEFT JOIN campaign_processing_status p ON p.campaign_id = c.id;

-- Enrichments of a campaign that is pending wait at the end of time: whoever begins it, begins them.
CREATE FUNCTION begin_enrichments() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE enrichments SET next_try = now()
     WHERE lead_id IN (SELECT id FROM enhanced_leads WHERE campaign_id = NEW.id)
       AND finished_at IS NULL AND next_try = '9999-01-01T00:00:00Z';
    RETURN NULL;
END $$;
CREATE TRIGGER campaigns_begun AFTER UPDATE OF status ON campaigns
    FOR EACH ROW WHEN (OLD.status = 'pending' AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION begin_enrichments();

-- As it was, and why.
CREATE OR REPLACE FUNCTION note_campaign() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM note_lifecycle(NEW.id, 'created', NULL, NEW.status, jsonb_build_object(
            'campaign_name', NEW.name, 'search_query', NEW.search_query, 'location', NEW.location,
            'business_type', NEW.business_type, 'target_count', NEW.target_count, 'budget_limit', NEW.budget_limit,
            'user_id', NEW.user_id));
    ELSE
        PERFORM note_lifecycle(
            NEW.id,
            CASE NEW.status WHEN 'processing' THEN 'processing_started'
                            WHEN 'completed' THEN 'completed'
                            WHEN 'error' THEN 'error'
                            WHEN 'cancelled' THEN 'cancelled'
                            ELSE 'status_changed' END,
            OLD.status, NEW.status, jsonb_build_object(
                'old_status', OLD.status, 'new_status', NEW.status, 'status_changed_at', wire_time(clock_timestamp()),
                'leads_found', NEW.leads_found, 'total_cost', NEW.total_cost, 'reason', NEW.status_reason));
    END IF;
    RETURN NULL;
END $$;
