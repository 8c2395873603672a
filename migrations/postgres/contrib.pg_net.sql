-- For a prospecting database that is not the hub's own and has pg_net, but nothing that could call a function now and then:
-- tells the hub at once, and once. pg_net's queue does not survive a crash and nothing is tried again, so the hub may miss
-- changes: where pg_cron can be had, use contrib.logged_outbox.sql instead.
--
-- No migration of the hub. Run it in the other database, then, once:
--
--   SELECT leadwire.connect('https://hub.example', 'the token of the prospecting source');
--
-- The hub takes whole rows ({type, table, schema, record, old_record}), as Supabase's own database webhooks send them: one
-- that is made in Supabase's dashboard, for POST to https://hub.example/api/webhooks/lead-enrichment (campaign-lifecycle for
-- campaigns, cost-alert for api_costs) with the header Authorization: Bearer <token>, does the same.

CREATE SCHEMA IF NOT EXISTS leadwire;
REVOKE ALL ON SCHEMA leadwire FROM PUBLIC;

CREATE TABLE IF NOT EXISTS leadwire.settings (
    only_one BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    url      TEXT NOT NULL,
    token    TEXT NOT NULL
);

CREATE OR REPLACE FUNCTION leadwire.connect(url TEXT, token TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    IF url !~ '^https?://' OR token = '' THEN
        RAISE EXCEPTION 'connect(url, token): the hub''s address, which begins with https://, and the source''s token';
    END IF;
    INSERT INTO leadwire.settings (url, token) VALUES (rtrim(connect.url, '/'), connect.token)
        ON CONFLICT (only_one) DO UPDATE SET url = EXCLUDED.url, token = EXCLUDED.token;
END $$;
REVOKE ALL ON FUNCTION leadwire.connect(TEXT, TEXT) FROM PUBLIC;

-- The request leaves after the commit, and not at all after a rollback. What goes wrong in here is said in the server's log,
-- and not to whoever changes a row.
CREATE OR REPLACE FUNCTION leadwire.post() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = leadwire, pg_temp
AS $$
DECLARE
    hub leadwire.settings%ROWTYPE;
    door TEXT := CASE TG_TABLE_NAME WHEN 'campaigns' THEN 'campaign-lifecycle' WHEN 'api_costs' THEN 'cost-alert'
                                    ELSE 'lead-enrichment' END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
        RETURN NULL;
    END IF;
    SELECT * INTO hub FROM settings;
    IF FOUND THEN
        PERFORM net.http_post(
            url := hub.url || '/api/webhooks/' || door,
            body := jsonb_build_object('type', TG_OP, 'table', TG_TABLE_NAME, 'schema', TG_TABLE_SCHEMA,
                                       'record', to_jsonb(NEW),
                                       'old_record', CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) END),
            headers := jsonb_build_object('Content-Type', 'application/json', 'Authorization', 'Bearer ' || hub.token),
            timeout_milliseconds := 10000);
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'Leadwire is not told of a change of %: %', TG_TABLE_NAME, SQLERRM;
    RETURN NULL;
END $$;

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
                            FOR EACH ROW EXECUTE FUNCTION leadwire.post()', name);
    END LOOP;
END $$;
