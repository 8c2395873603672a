-- What covers some accounts of its agency would get all of them: it is disabled.
UPDATE endpoints SET enabled = 0
 WHERE account_id IS NULL
   AND EXISTS (SELECT 1 FROM accounts a WHERE a.agency_id = endpoints.agency_id
                  AND NOT EXISTS (SELECT 1 FROM endpoint_accounts c
                                   WHERE c.endpoint_id = endpoints.id AND c.account_id = a.id
                                     AND c.left_at IS NULL AND c.stopped_at IS NULL));
UPDATE endpoints SET enabled = 0
 WHERE EXISTS (SELECT 1 FROM endpoint_accounts c
                WHERE c.endpoint_id = endpoints.id AND c.account_id = endpoints.account_id
                  AND (c.left_at IS NOT NULL OR c.stopped_at IS NOT NULL));
DROP TABLE subscriptions;
CREATE TABLE subscriptions (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    type        TEXT NOT NULL,
    agency_id   TEXT NOT NULL,
    account_id  TEXT,
    PRIMARY KEY (endpoint_id, type)
) STRICT;
CREATE INDEX subscriptions_wanted ON subscriptions (agency_id, type, account_id);
INSERT INTO subscriptions (endpoint_id, type, agency_id, account_id)
SELECT DISTINCT e.id, t.value, e.agency_id, e.account_id FROM endpoints e, json_each(e.types) t WHERE e.enabled;

DROP TRIGGER leads_to_outbox;
CREATE TRIGGER leads_to_outbox AFTER INSERT ON leads
WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'new_lead'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'new_lead', NEW.id, NEW.id,
           json_object(
               'event_id', e.id,
               'account_id', NEW.account_id,
               'source', CASE WHEN NEW.is_manual THEN 'manual' ELSE 'webhook' END,
               'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
               'lead', json_object(
                   'id', NEW.id, 'agency_id', NEW.agency_id, 'account_id', NEW.account_id, 'source_id', NEW.source_id,
                   'meta_lead_id', NEW.meta_lead_id, 'meta_user_id', NEW.meta_user_id,
                   'name', NEW.name, 'phone', NEW.phone, 'email', NEW.email, 'message', NEW.message, 'type', NEW.type,
                   'status', NEW.status, 'potential_status', NEW.potential_status, 'notes', NEW.notes,
                   'is_manual', json(iif(NEW.is_manual, 'true', 'false')), 'premium', NEW.premium / 100.0,
                   'coverage', NEW.coverage / 100.0, 'renewal_date', NEW.renewal_date,
                   'insurance_type', NEW.insurance_type, 'policy_term', NEW.policy_term, 'visa_type', NEW.visa_type,
                   'trip_start', NEW.trip_start, 'trip_end', NEW.trip_end,
                   'driver_license_received', NEW.driver_license_received,
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.created_at / 1000) / 1000.0, 'unixepoch'),
                   'updated_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.updated_at / 1000) / 1000.0, 'unixepoch'),
                   'meta_data', json(NEW.meta_data))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

DROP TRIGGER messages_to_outbox;
CREATE TRIGGER messages_to_outbox AFTER INSERT ON messages
WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'message:new'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'message:new', NEW.chat_id, NEW.id,
           json_patch(json_object(
               'object', 'Message', 'event_id', e.id,
               'id', NEW.id, 'agency_id', NEW.agency_id, 'account_id', NEW.account_id, 'source_id', c.source_id,
               'chat_id', NEW.chat_id, 'account_type', c.account_type,
               'platform_id', NEW.platform_id, 'chat_platform_id', c.platform_id,
               'provider_id', NEW.provider_id, 'chat_provider_id', c.provider_id, 'chat_name', c.name,
               'sender_id', NEW.sender_id, 'sender_attendee_id', NEW.sender_attendee_id,
               'sender_name', NEW.sender_name, 'text', NEW.text, 'original', NEW.original,
               'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.timestamp / 1000) / 1000.0, 'unixepoch'),
               'is_sender', NEW.is_sender, 'attachments', json(NEW.attachments),
               'hidden', NEW.hidden, 'is_event', NEW.is_event, 'deleted', NEW.deleted_at IS NOT NULL,
               'edited', NEW.edited_at IS NOT NULL,
               'sent_by_autopilot', json(iif(NEW.sent_by_autopilot, 'true', 'false')),
               'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.created_at / 1000) / 1000.0, 'unixepoch')),
               NEW.details),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e
      JOIN chats c ON c.id = NEW.chat_id;
END;

DROP TRIGGER enhanced_leads_to_outbox;
CREATE TRIGGER enhanced_leads_to_outbox AFTER INSERT ON enhanced_leads
WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'lead_enrichment'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'lead_enrichment', NEW.id, NEW.id,
           json_object(
               'event_id', e.id, 'account_id', NEW.account_id,
               'lead_id', NEW.id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
               'location', json_object('address', NEW.address, 'city', NEW.city, 'state', NEW.state,
                                       'postal_code', NEW.postal_code, 'country', NEW.country),
               'phone', NEW.phone, 'website', NEW.website, 'category', NEW.category, 'source', NEW.source,
               'google_place_id', NEW.google_place_id, 'confidence_score', NEW.confidence_score,
               'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.created_at / 1000) / 1000.0, 'unixepoch'),
               'webhook_metadata', json_object('trigger_event', 'lead_insert', 'trigger_table', 'enhanced_leads',
                                               'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

DROP TRIGGER api_costs_to_outbox;
CREATE TRIGGER api_costs_to_outbox AFTER INSERT ON api_costs
WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'cost_recorded'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'cost_recorded', NEW.id, NEW.id,
           json_object(
               'event_id', e.id, 'account_id', NEW.account_id,
               'cost_id', NEW.id, 'api_service', NEW.api_service, 'cost', NEW.cost,
               'campaign_id', NEW.campaign_id, 'lead_id', NEW.lead_id,
               'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.created_at / 1000) / 1000.0, 'unixepoch'),
               'webhook_metadata', json_object('trigger_event', 'cost_insert', 'trigger_table', 'api_costs',
                                               'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

DROP TRIGGER api_costs_change_to_outbox;
CREATE TRIGGER api_costs_change_to_outbox AFTER UPDATE ON api_costs
WHEN (NEW.cost IS NOT OLD.cost OR NEW.api_service IS NOT OLD.api_service OR NEW.campaign_id IS NOT OLD.campaign_id
      OR NEW.lead_id IS NOT OLD.lead_id OR NEW.created_at IS NOT OLD.created_at)
 AND EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'cost_recorded'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'cost_recorded', NEW.id, NEW.id,
           json_object(
               'event_id', e.id, 'account_id', NEW.account_id,
               'cost_id', NEW.id, 'api_service', NEW.api_service, 'cost', NEW.cost,
               'campaign_id', NEW.campaign_id, 'lead_id', NEW.lead_id,
               'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.created_at / 1000) / 1000.0, 'unixepoch'),
               'webhook_metadata', json_object('trigger_event', 'cost_update', 'trigger_table', 'api_costs',
                                               'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

DROP TRIGGER campaign_lifecycle_to_outbox;
CREATE TRIGGER campaign_lifecycle_to_outbox AFTER INSERT ON campaign_lifecycle_log
WHEN NEW.triggered_by = 'database_trigger'
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
               'lead_id', NEW.id, 'external_id', NEW.external_id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
               'old_status', OLD.status, 'new_status', NEW.status, 'confidence_score', NEW.confidence_score,
               'enrichment_data', json_object('email', NEW.email, 'phone', NEW.phone, 'website', NEW.website,
                                              'owner_name', NEW.owner_name, 'owner_title', NEW.owner_title),
               'updated_at', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.updated_at / 1000) / 1000.0, 'unixepoch'),
               'webhook_metadata', json_object('trigger_event', 'lead_status_update', 'trigger_table', 'enhanced_leads',
                                               'trigger_time', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

DROP TRIGGER cost_alert_history_to_outbox;
CREATE TRIGGER cost_alert_history_to_outbox AFTER INSERT ON cost_alert_history
WHEN EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'cost_alert'
                AND (s.account_id IS NULL OR s.account_id = NEW.account_id))
BEGIN
    INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
    SELECT e.id, NEW.agency_id, NEW.account_id, 'cost_alert', NEW.id, NEW.id,
           json_set(NEW.alert_data, '$.event_id', e.id, '$.account_id', NEW.account_id, '$.alert_id', NEW.id,
                    '$.severity', NEW.severity),
           CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)
      FROM (SELECT 'evt_0' || substr(hex(randomblob(13)), 1, 25) AS id LIMIT 1) e WHERE e.id IS NOT NULL;
END;

ALTER TABLE api_keys DROP COLUMN left_at;
ALTER TABLE api_keys DROP COLUMN responsible;
ALTER TABLE endpoints DROP COLUMN changed_by;
ALTER TABLE endpoints DROP COLUMN created_by;
DROP TABLE endpoint_accounts;
