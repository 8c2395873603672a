DELETE FROM endpoints WHERE source_id IS NOT NULL;
ALTER TABLE endpoints DROP COLUMN source_id;
DROP TRIGGER campaigns_of_others;
DROP TRIGGER campaign_lifecycle_to_outbox;
CREATE TRIGGER campaign_lifecycle_to_outbox AFTER INSERT ON campaign_lifecycle_log
BEGIN
    UPDATE campaign_lifecycle_log
       SET event_data = (SELECT json_object(
               'event_id', NEW.id, 'account_id', c.account_id, 'campaign_id', c.id, 'lifecycle_event', NEW.lifecycle_event,
               'campaign_info', json_object(
                   'name', c.name, 'status', c.status, 'user_id', c.user_id, 'search_query', c.search_query,
                   'location', c.location, 'business_type', c.business_type, 'target_count', c.target_count,
                   'budget_limit', c.budget_limit, 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (c.created_at / 1000) / 1000.0, 'unixepoch')),
               'event_data', json(NEW.event_data),
               'processing_status', CASE WHEN p.campaign_id IS NOT NULL THEN json_object(
                   'status', p.status, 'total_leads', p.total_leads, 'processed_leads', p.processed_leads,
                   'qualified_leads', p.qualified_leads, 'error_leads', p.error_leads,
                   'processing_cost', p.processing_cost,
                   'current_stage', p.current_stage, 'stage_progress', p.stage_progress,
                   'completion_percentage',
                   CASE WHEN p.total_leads > 0 THEN round(p.processed_leads * 100.0 / p.total_leads, 2) ELSE 0 END,
                   'started_at', strftime('%Y-%m-%dT%H:%M:%fZ', (p.started_at / 1000) / 1000.0, 'unixepoch'),
                   'estimated_completion', strftime('%Y-%m-%dT%H:%M:%fZ', (p.estimated_completion / 1000) / 1000.0, 'unixepoch')) END,
               'webhook_metadata', json_object('trigger_source', 'database_trigger', 'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))
                           FROM campaigns c LEFT JOIN campaign_processing_status p ON p.campaign_id = c.id
                          WHERE c.id = NEW.campaign_id)
     WHERE id = NEW.id;
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT l.id, l.agency_id, l.account_id, 'campaign_lifecycle', l.campaign_id, l.campaign_id, l.event_data, l.created_at
      FROM campaign_lifecycle_log l
     WHERE l.id = NEW.id
       AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = l.agency_id AND s.type = 'campaign_lifecycle'
                      AND (s.account_id IS NULL OR s.account_id = l.account_id));
END;
DROP TRIGGER enhanced_leads_status_to_outbox;
CREATE TRIGGER enhanced_leads_status_to_outbox AFTER UPDATE OF status ON enhanced_leads
WHEN NEW.status IS NOT OLD.status AND NEW.status IN ('enriched', 'validated', 'qualified')
 AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'lead_status_update'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'lead_status_update', NEW.id, NEW.id,
           json_object(
               'event_id', e.id, 'account_id', NEW.account_id,
               'lead_id', NEW.id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
               'old_status', OLD.status, 'new_status', NEW.status, 'confidence_score', NEW.confidence_score,
               'enrichment_data', json_object('email', NEW.email, 'phone', NEW.phone, 'website', NEW.website,
                                              'owner_name', NEW.owner_name, 'owner_title', NEW.owner_title),
               'updated_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.updated_at / 1000) / 1000.0, 'unixepoch'),
               'webhook_metadata', json_object('trigger_event', 'lead_status_update', 'trigger_table', 'enhanced_leads',
                                               'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;
DROP INDEX api_costs_external;
ALTER TABLE api_costs DROP COLUMN external_id;
DROP INDEX enhanced_leads_external;
ALTER TABLE enhanced_leads DROP COLUMN external_id;
DROP INDEX campaigns_external;
ALTER TABLE campaigns DROP COLUMN external_id;
