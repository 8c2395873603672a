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
                'leads_found', NEW.leads_found, 'total_cost', NEW.total_cost));
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER campaigns_begun ON campaigns;
DROP FUNCTION begin_enrichments();
DROP VIEW campaign_lifecycle_dashboard;
DROP TABLE campaign_exports;
CREATE INDEX enhanced_leads_of_campaign ON enhanced_leads (campaign_id) WHERE campaign_id IS NOT NULL;
DROP INDEX enhanced_leads_of_campaign_by_id;
DROP INDEX outbox_of_campaign;
DROP INDEX campaigns_to_export;
ALTER TABLE campaigns DROP COLUMN export_metadata, DROP COLUMN exported_at, DROP COLUMN status_reason;
