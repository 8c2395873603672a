-- Alerts go to the endpoints that want them, as the system did that agencies switch over from: its payload, and what names it.
CREATE FUNCTION outbox_cost_alerts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'cost_alert'
                  AND (s.account_id IS NULL OR s.account_id = NEW.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.id, NEW.agency_id, NEW.account_id, 'cost_alert', NEW.id, NEW.id,
                   (NEW.alert_data || jsonb_build_object('event_id', n.id, 'account_id', NEW.account_id, 'alert_id', NEW.id,
                                                         'severity', NEW.severity))::text,
                   clock_timestamp()
              FROM (SELECT new_id('evt_') AS id) n;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'cost alert % was not put into the outbox: %', NEW.id, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER cost_alert_history_to_outbox AFTER INSERT ON cost_alert_history
    FOR EACH ROW EXECUTE FUNCTION outbox_cost_alerts();
