-- Alerts go to the endpoints that want them, as the system did that agencies switch over from: its payload, and what names it.
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
