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
                'leads_found', NEW.leads_found, 'total_cost', NEW.total_cost));
END;
DROP TRIGGER campaigns_begun;
DROP VIEW campaign_lifecycle_dashboard;
DROP TABLE campaign_exports;
CREATE INDEX enhanced_leads_of_campaign ON enhanced_leads (campaign_id) WHERE campaign_id IS NOT NULL;
DROP INDEX enhanced_leads_of_campaign_by_id;
DROP INDEX outbox_of_campaign;
DROP INDEX campaigns_to_export;
ALTER TABLE campaigns DROP COLUMN export_metadata;
ALTER TABLE campaigns DROP COLUMN exported_at;
ALTER TABLE campaigns DROP COLUMN status_reason;
