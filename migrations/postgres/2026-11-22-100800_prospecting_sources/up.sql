-- The hub's own endpoint of a prospecting source: what its account's tables tell goes to the hub itself.
ALTER TABLE endpoints ADD COLUMN source_id TEXT COLLATE "C" REFERENCES sources (id) ON DELETE CASCADE;

-- The id of a row in the database that told of it, if that is not the hub's own.
ALTER TABLE campaigns ADD COLUMN external_id TEXT COLLATE "C";
CREATE UNIQUE INDEX campaigns_external ON campaigns (account_id, external_id) WHERE external_id IS NOT NULL;
ALTER TABLE enhanced_leads ADD COLUMN external_id TEXT COLLATE "C";
CREATE UNIQUE INDEX enhanced_leads_external ON enhanced_leads (account_id, external_id) WHERE external_id IS NOT NULL;
ALTER TABLE api_costs ADD COLUMN external_id TEXT COLLATE "C";
CREATE UNIQUE INDEX api_costs_external ON api_costs (account_id, external_id) WHERE external_id IS NOT NULL;

-- What happens to the campaigns of other databases, those tell themselves: the hub writes it down as it was told, and its
-- triggers are silent.
DROP TRIGGER campaigns_created ON campaigns;
CREATE TRIGGER campaigns_created AFTER INSERT ON campaigns
    FOR EACH ROW WHEN (NEW.external_id IS NULL) EXECUTE FUNCTION note_campaign();
DROP TRIGGER campaigns_status ON campaigns;
CREATE TRIGGER campaigns_status AFTER UPDATE OF status ON campaigns
    FOR EACH ROW WHEN (NEW.external_id IS NULL AND NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION note_campaign();
CREATE OR REPLACE FUNCTION note_progress() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before NUMERIC := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := OLD.stage_progress;
    END IF;
    -- a mark is passed, however small the steps
    IF floor(NEW.stage_progress / 25) > floor(before / 25)
       AND EXISTS (SELECT 1 FROM campaigns WHERE id = NEW.campaign_id AND external_id IS NULL) THEN
        PERFORM note_lifecycle(NEW.campaign_id, 'progress_update', NEW.status, NEW.status, jsonb_build_object(
            'processed_leads', NEW.processed_leads, 'qualified_leads', NEW.qualified_leads,
            'error_leads', NEW.error_leads, 'processing_cost', NEW.processing_cost, 'current_stage', NEW.current_stage,
            'old_progress', before, 'new_progress', NEW.stage_progress,
            'estimated_completion', wire_time(NEW.estimated_completion)));
    END IF;
    RETURN NULL;
END $$;

-- The status of another database's lead was told by that database: who hears of it from here must know.
CREATE OR REPLACE FUNCTION outbox_prospect_status() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'lead_status_update'
                  AND (s.account_id IS NULL OR s.account_id = NEW.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.id, NEW.agency_id, NEW.account_id, 'lead_status_update', NEW.id, NEW.id,
                   json_build_object(
                       'event_id', n.id, 'account_id', NEW.account_id,
                       'lead_id', NEW.id, 'external_id', NEW.external_id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
                       'old_status', OLD.status, 'new_status', NEW.status, 'confidence_score', NEW.confidence_score,
                       'enrichment_data', json_build_object('email', NEW.email, 'phone', NEW.phone, 'website', NEW.website,
                                                             'owner_name', NEW.owner_name, 'owner_title', NEW.owner_title),
                       'updated_at', wire_time(NEW.updated_at),
                       'webhook_metadata', json_build_object('trigger_event', 'lead_status_update',
                                                              'trigger_table', 'enhanced_leads',
                                                              'trigger_time', wire_time(clock_timestamp())))::text,
                   clock_timestamp()
              FROM (SELECT new_id('evt_') AS id) n;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the status of prospect % was not put into the outbox: %', NEW.id, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
