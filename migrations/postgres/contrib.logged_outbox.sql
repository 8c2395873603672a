-- For a prospecting database that is not the hub's own: tells the hub what happens there, and loses nothing.
--
-- No migration of the hub. Run it in the other database, which needs the extensions pg_net and pg_cron (Supabase has both),
-- and tables enhanced_leads, campaigns and api_costs; where one is missing, leave out its trigger. Then, once:
--
--   SELECT leadwire.connect('https://hub.example', 'the token of the prospecting source');
--
-- A row goes into leadwire.outbox in the transaction of the change, into a table that survives a crash. pg_net's own queue
-- does not, tells of no answer and never tries again: leadwire.deliver, which pg_cron calls every five seconds, gives it
-- what is due, reads the answers, and tries again with growing waits for three days. What comes twice is one event for the
-- hub, which knows it by its record and the time of the trigger.

CREATE SCHEMA IF NOT EXISTS leadwire;
REVOKE ALL ON SCHEMA leadwire FROM PUBLIC;

CREATE TABLE IF NOT EXISTS leadwire.settings (
    only_one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    url      TEXT NOT NULL,
    token    TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS leadwire.outbox (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    door       TEXT NOT NULL,
    type       TEXT NOT NULL,
    payload    JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    attempts   INTEGER NOT NULL DEFAULT 0,
    next_try   TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    -- pg_net is at it
    request_id BIGINT,
    answered   INTEGER,
    error      TEXT,
    -- delivered, or given up
    ended_at   TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS outbox_due ON leadwire.outbox (next_try) WHERE ended_at IS NULL;

CREATE OR REPLACE FUNCTION leadwire.connect(url TEXT, token TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    IF url !~ '^https?://' OR token = '' THEN
        RAISE EXCEPTION 'connect(url, token): the hub''s address, which begins with https://, and the source''s token';
    END IF;
    INSERT INTO leadwire.settings (url, token) VALUES (rtrim(connect.url, '/'), connect.token)
        ON CONFLICT (only_one) DO UPDATE SET url = EXCLUDED.url, token = EXCLUDED.token;
END $$;

-- What goes wrong in here is said in the server's log, and not to whoever changes a row.
CREATE OR REPLACE FUNCTION leadwire.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = leadwire, pg_temp
AS $$
DECLARE
    n JSONB := to_jsonb(NEW);
    o JSONB := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END;
    happened JSONB := jsonb_build_object('trigger_table', TG_TABLE_NAME, 'trigger_source', 'database_trigger',
                                         'trigger_time', clock_timestamp());
    event TEXT;
BEGIN
    IF TG_TABLE_NAME = 'enhanced_leads' AND TG_OP = 'INSERT' THEN
        INSERT INTO outbox (door, type, payload) VALUES ('lead-enrichment', 'lead_enrichment', jsonb_build_object(
            'lead_id', n->'id', 'business_name', coalesce(n->'business_name', n->'name'), 'campaign_id', n->'campaign_id',
            'location', jsonb_build_object('address', n->'address', 'city', n->'city', 'state', n->'state',
                                           'postal_code', n->'postal_code', 'country', n->'country'),
            'phone', n->'phone', 'website', n->'website', 'category', n->'category', 'email', n->'email',
            'source', coalesce(n->'source', n->'discovery_source'), 'google_place_id', n->'google_place_id',
            'confidence_score', n->'confidence_score', 'created_at', n->'created_at',
            'webhook_metadata', happened || '{"trigger_event": "lead_insert"}'));
    ELSIF TG_TABLE_NAME = 'enhanced_leads' THEN
        IF n->'status' IS DISTINCT FROM o->'status' AND n->>'status' IN ('enriched', 'validated', 'qualified') THEN
            INSERT INTO outbox (door, type, payload) VALUES ('lead-enrichment', 'lead_status_update', jsonb_build_object(
                'lead_id', n->'id', 'business_name', coalesce(n->'business_name', n->'name'),
                'campaign_id', n->'campaign_id', 'old_status', o->'status', 'new_status', n->'status',
                'confidence_score', n->'confidence_score', 'updated_at', n->'updated_at',
                'enrichment_data', jsonb_build_object('email', n->'email', 'phone', n->'phone', 'website', n->'website',
                                                       'owner_name', n->'owner_name', 'owner_title', n->'owner_title'),
                'webhook_metadata', happened || '{"trigger_event": "lead_status_update"}'));
        END IF;
    ELSIF TG_TABLE_NAME = 'api_costs' THEN
        IF n IS DISTINCT FROM o THEN
            INSERT INTO outbox (door, type, payload) VALUES ('cost-alert', 'cost_recorded', jsonb_build_object(
                'cost_id', n->'id', 'api_service', coalesce(n->'api_service', n->'api_name'), 'cost', n->'cost',
                'campaign_id', n->'campaign_id', 'lead_id', n->'lead_id', 'created_at', n->'created_at',
                'webhook_metadata', happened || jsonb_build_object('trigger_event', 'cost_' || lower(TG_OP))));
        END IF;
    ELSIF TG_TABLE_NAME = 'campaigns' AND (o IS NULL OR n->'status' IS DISTINCT FROM o->'status') THEN
        event := CASE WHEN o IS NULL THEN 'created'
                      WHEN n->>'status' IN ('processing', 'running') THEN 'processing_started'
                      WHEN n->>'status' IN ('completed', 'error', 'cancelled') THEN n->>'status'
                      ELSE 'status_changed' END;
        INSERT INTO outbox (door, type, payload) VALUES ('campaign-lifecycle', 'campaign_lifecycle', jsonb_build_object(
            'campaign_id', n->'id', 'lifecycle_event', event,
            'campaign_info', jsonb_build_object(
                'name', n->'name', 'status', n->'status', 'user_id', n->'user_id', 'search_query', n->'search_query',
                'location', n->'location', 'business_type', n->'business_type', 'target_count', n->'target_count',
                'budget_limit', n->'budget_limit', 'created_at', n->'created_at'),
            'event_data', jsonb_build_object('old_status', o->'status', 'new_status', n->'status',
                                             'leads_found', n->'leads_found', 'total_cost', n->'total_cost'),
            'webhook_metadata', happened || jsonb_build_object('trigger_event', event)));
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'Leadwire is not told of a change of %: %', TG_TABLE_NAME, SQLERRM;
    RETURN NULL;
END $$;

-- Reads answers, then hands over what is due: at most 150 at a time, for pg_net waits for the slowest of a batch. Answers how
-- many it handed over.
CREATE OR REPLACE FUNCTION leadwire.deliver() RETURNS INTEGER LANGUAGE plpgsql SECURITY DEFINER
SET search_path = leadwire, pg_temp AS $$
DECLARE
    hub leadwire.settings%ROWTYPE;
    due leadwire.outbox%ROWTYPE;
    handed INTEGER := 0;
BEGIN
    -- One at a time: whoever comes meanwhile goes away again.
    IF NOT pg_try_advisory_xact_lock(hashtext('leadwire.deliver')) THEN
        RETURN 0;
    END IF;
    SELECT * INTO hub FROM settings;
    IF NOT FOUND THEN
        RAISE WARNING 'Leadwire''s address is not known: SELECT leadwire.connect(url, token)';
        RETURN 0;
    END IF;
    UPDATE outbox b
       SET request_id = NULL,
           answered = r.status_code,
           error = coalesce(r.error_msg, CASE WHEN r.timed_out THEN 'timed out' END,
                            CASE WHEN r.status_code NOT BETWEEN 200 AND 299 THEN left(r.content, 500) END),
           ended_at = CASE WHEN r.status_code BETWEEN 200 AND 299 OR b.created_at < clock_timestamp() - interval '3 days'
                           THEN clock_timestamp() END
      FROM net._http_response r
     WHERE r.id = b.request_id AND b.ended_at IS NULL;
    -- A crash empties pg_net's queue: what has no answer by its next try is handed over again.
    FOR due IN SELECT * FROM outbox WHERE ended_at IS NULL AND next_try <= clock_timestamp()
               ORDER BY id LIMIT 150 FOR UPDATE SKIP LOCKED
    LOOP
        UPDATE outbox
           SET attempts = due.attempts + 1,
               next_try = clock_timestamp() + least(interval '1 hour', interval '30 seconds' * power(2, least(due.attempts, 7))),
               request_id = net.http_post(
                   url := hub.url || '/api/webhooks/' || due.door,
                   body := due.payload,
                   headers := jsonb_build_object(
                       'Content-Type', 'application/json', 'Authorization', 'Bearer ' || hub.token,
                       'X-Webhook-Type', due.type, 'X-Webhook-Attempt', (due.attempts + 1)::text),
                   timeout_milliseconds := 10000)
         WHERE id = due.id;
        handed := handed + 1;
    END LOOP;
    DELETE FROM outbox WHERE ended_at < clock_timestamp() - interval '7 days';
    RETURN handed;
END $$;
REVOKE ALL ON FUNCTION leadwire.deliver(), leadwire.connect(TEXT, TEXT) FROM PUBLIC;

DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['enhanced_leads', 'campaigns', 'api_costs'] LOOP
        IF to_regclass('public.' || name) IS NULL THEN
            RAISE NOTICE 'there is no table public.%: Leadwire is not told of it', name;
            CONTINUE;
        END IF;
        EXECUTE format('DROP TRIGGER IF EXISTS tell_leadwire ON public.%I', name);
        EXECUTE format('CREATE TRIGGER tell_leadwire AFTER INSERT OR UPDATE ON public.%I
                            FOR EACH ROW EXECUTE FUNCTION leadwire.note()', name);
    END LOOP;
    IF to_regnamespace('cron') IS NULL THEN
        RAISE NOTICE 'pg_cron is not there: call leadwire.deliver() every few seconds in another way';
    ELSE
        PERFORM cron.schedule('leadwire', '5 seconds', 'SELECT leadwire.deliver()');
    END IF;
END $$;
