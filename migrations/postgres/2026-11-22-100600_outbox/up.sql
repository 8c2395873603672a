-- Webhooks that the hub sends: where to, what, and what became of each.

-- An id as the hub makes them: a prefix and 26 characters of base 32, of which hexadecimal digits are a part.
CREATE FUNCTION new_id(prefix TEXT) RETURNS TEXT LANGUAGE sql VOLATILE AS
$$ SELECT prefix || '0' || upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 25)) $$;

-- A moment as it leaves the hub.
CREATE FUNCTION wire_time(moment TIMESTAMPTZ) RETURNS TEXT LANGUAGE sql STABLE AS
$$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

CREATE TABLE endpoints (
    id              TEXT COLLATE "C" PRIMARY KEY,
    agency_id       TEXT COLLATE "C" NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- none: every account of the agency
    account_id      TEXT COLLATE "C",
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    types           JSONB NOT NULL,
    -- one delivery a subject at a time, the oldest first
    ordered         BOOLEAN NOT NULL,
    enabled         BOOLEAN NOT NULL,
    -- why the hub itself disabled it
    disabled_reason TEXT,
    -- sealed with the master key
    token           BYTEA,
    secret          BYTEA NOT NULL,
    -- signs as well until then
    previous_secret BYTEA,
    previous_until  TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX endpoints_by_agency ON endpoints (agency_id);

-- What enabled endpoints want, a row a type: written with the endpoint, so that a trigger asks one index.
CREATE TABLE subscriptions (
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    type        TEXT COLLATE "C" NOT NULL,
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C",
    PRIMARY KEY (endpoint_id, type)
);
CREATE INDEX subscriptions_wanted ON subscriptions (agency_id, type, account_id);

-- Written by triggers, in the transaction of the change. No foreign keys: that change has them, and looking again is half of
-- what a row costs; when an account goes, its rows go by triggers.
CREATE TABLE outbox (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- what receivers know it by; no index, for only people look for it, and among one endpoint's
    event_id   TEXT COLLATE "C" NOT NULL,
    agency_id  TEXT COLLATE "C" NOT NULL,
    -- none: a test of an endpoint for every account
    account_id TEXT COLLATE "C",
    type       TEXT COLLATE "C" NOT NULL,
    -- what keeps its order: a lead, a chat, a campaign
    subject    TEXT COLLATE "C" NOT NULL,
    -- the row that changed
    record_id  TEXT COLLATE "C" NOT NULL,
    payload    TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- when it was turned into deliveries
    routed_at  TIMESTAMPTZ
);
CREATE INDEX outbox_unrouted ON outbox (id) WHERE routed_at IS NULL;

-- A person's wish to have deliveries made again.
CREATE TABLE replays (
    id          TEXT COLLATE "C" PRIMARY KEY,
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    total       BIGINT NOT NULL,
    cancelled   BOOLEAN NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX replays_by_endpoint ON replays (endpoint_id);

CREATE TABLE deliveries (
    endpoint_id   TEXT COLLATE "C" NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    outbox_id     BIGINT NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    -- these three as in the outbox
    agency_id     TEXT COLLATE "C" NOT NULL,
    account_id    TEXT COLLATE "C",
    subject       TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'delivered', 'parked', 'cancelled')),
    -- why it is parked or cancelled
    reason        TEXT,
    attempts      INTEGER NOT NULL,
    -- in a row: decides on the next wait
    failures      INTEGER NOT NULL,
    -- patience counts from here
    since         TIMESTAMPTZ NOT NULL,
    next_try      TIMESTAMPTZ NOT NULL,
    -- a hub is at it until then, or has died
    claimed_until TIMESTAMPTZ,
    finished_at   TIMESTAMPTZ,
    replay_id     TEXT COLLATE "C" REFERENCES replays (id) ON DELETE SET NULL,
    PRIMARY KEY (endpoint_id, outbox_id),
    CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX deliveries_of_outbox ON deliveries (outbox_id);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_try) WHERE finished_at IS NULL;
CREATE INDEX deliveries_in_order ON deliveries (endpoint_id, subject, outbox_id) WHERE finished_at IS NULL;
CREATE INDEX deliveries_parked ON deliveries (account_id) WHERE state = 'parked';
CREATE INDEX deliveries_of_replay ON deliveries (replay_id) WHERE replay_id IS NOT NULL;

CREATE TABLE delivery_attempts (
    endpoint_id TEXT COLLATE "C" NOT NULL,
    outbox_id   BIGINT NOT NULL,
    attempt     INTEGER NOT NULL,
    url         TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    duration_ms INTEGER NOT NULL,
    status      INTEGER,
    -- how the answer begins
    answer      TEXT,
    error       TEXT,
    PRIMARY KEY (endpoint_id, outbox_id, attempt),
    FOREIGN KEY (endpoint_id, outbox_id) REFERENCES deliveries (endpoint_id, outbox_id) ON DELETE CASCADE
);

-- Every attempt, and what waits for its first, under the names of the system that agencies switch over from.
CREATE VIEW webhook_logs AS
SELECT o.event_id || '/' || d.endpoint_id || '/' || coalesce(a.attempt, 0) AS id,
       o.agency_id,
       o.account_id,
       o.type AS webhook_type,
       CASE o.type WHEN 'new_lead' THEN 'leads'
                   WHEN 'message:new' THEN 'messages'
                   WHEN 'lead_enrichment' THEN 'enhanced_leads'
                   WHEN 'lead_status_update' THEN 'enhanced_leads'
                   WHEN 'cost_recorded' THEN 'api_costs'
                   WHEN 'campaign_lifecycle' THEN 'campaigns'
                   ELSE 'endpoints' END AS trigger_table,
       o.record_id,
       o.payload,
       coalesce(a.url, e.url) AS endpoint_url,
       a.status AS http_status,
       a.answer AS response_body,
       coalesce(a.attempt, 0) AS attempt_number,
       -- patience is a time, not a number
       CAST(NULL AS INTEGER) AS max_attempts,
       coalesce(a.started_at, o.created_at) AS created_at,
       a.started_at + a.duration_ms * interval '1 millisecond' AS completed_at,
       a.error AS error_message,
       CASE WHEN d.state = 'pending' AND a.attempt = d.attempts THEN d.next_try END AS retry_at
  FROM deliveries d
  JOIN outbox o ON o.id = d.outbox_id
  JOIN endpoints e ON e.id = d.endpoint_id
  LEFT JOIN delivery_attempts a ON a.endpoint_id = d.endpoint_id AND a.outbox_id = d.outbox_id;

CREATE FUNCTION forget_outbox() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_TABLE_NAME = 'accounts' THEN
        DELETE FROM outbox WHERE account_id = OLD.id;
    ELSE
        DELETE FROM outbox WHERE agency_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_forget_outbox AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION forget_outbox();
CREATE TRIGGER agencies_forget_outbox AFTER DELETE ON agencies FOR EACH ROW EXECUTE FUNCTION forget_outbox();

-- Triggers look at whole statements, so that a batch costs one insert. Each asks for itself whether anything is wanted:
-- PostgreSQL does not unfold a function with a subquery. What goes wrong in one is said in the server's log, and not to
-- whoever changes a row.
CREATE FUNCTION outbox_new_leads() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM fresh f JOIN subscriptions s ON s.agency_id = f.agency_id AND s.type = 'new_lead'
                                             AND (s.account_id IS NULL OR s.account_id = f.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.event_id, n.agency_id, n.account_id, 'new_lead', n.id, n.id,
                   json_build_object(
                       'event_id', n.event_id,
                       'account_id', n.account_id,
                       'source', CASE WHEN n.is_manual THEN 'manual' ELSE 'webhook' END,
                       'timestamp', wire_time(clock_timestamp()),
                       'lead', json_build_object(
                           'id', n.id, 'agency_id', n.agency_id, 'account_id', n.account_id, 'source_id', n.source_id,
                           'meta_lead_id', n.meta_lead_id, 'meta_user_id', n.meta_user_id,
                           'name', n.name, 'phone', n.phone, 'email', n.email, 'message', n.message, 'type', n.type,
                           'status', n.status, 'potential_status', n.potential_status, 'notes', n.notes,
                           'is_manual', n.is_manual, 'premium', trim_scale(n.premium / 100.0),
                           'coverage', trim_scale(n.coverage / 100.0), 'renewal_date', n.renewal_date,
                           'insurance_type', n.insurance_type, 'policy_term', n.policy_term, 'visa_type', n.visa_type,
                           'trip_start', n.trip_start, 'trip_end', n.trip_end,
                           'driver_license_received', n.driver_license_received,
                           'created_at', wire_time(n.created_at), 'updated_at', wire_time(n.updated_at),
                           'meta_data', n.meta_data))::text,
                   clock_timestamp()
              FROM (SELECT f.*, new_id('evt_') AS event_id FROM fresh f
                     WHERE EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = f.agency_id AND s.type = 'new_lead'
                                      AND (s.account_id IS NULL OR s.account_id = f.account_id))) n;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'new leads were not put into the outbox: %', SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER leads_to_outbox AFTER INSERT ON leads REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_new_leads();

CREATE FUNCTION outbox_new_messages() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM fresh f JOIN subscriptions s ON s.agency_id = f.agency_id AND s.type = 'message:new'
                                             AND (s.account_id IS NULL OR s.account_id = f.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.event_id, n.agency_id, n.account_id, 'message:new', n.chat_id, n.id,
                   (jsonb_build_object(
                       'object', 'Message', 'event_id', n.event_id,
                       'id', n.id, 'agency_id', n.agency_id, 'account_id', n.account_id, 'source_id', c.source_id,
                       'chat_id', n.chat_id, 'account_type', c.account_type,
                       'platform_id', n.platform_id, 'chat_platform_id', c.platform_id,
                       'provider_id', n.provider_id, 'chat_provider_id', c.provider_id, 'chat_name', c.name,
                       'sender_id', n.sender_id, 'sender_attendee_id', n.sender_attendee_id,
                       'sender_name', n.sender_name, 'text', n.text, 'original', n.original,
                       'timestamp', wire_time(n.timestamp), 'is_sender', n.is_sender::int, 'attachments', n.attachments,
                       'hidden', n.hidden::int, 'is_event', n.is_event::int, 'deleted', (n.deleted_at IS NOT NULL)::int,
                       'edited', (n.edited_at IS NOT NULL)::int, 'sent_by_autopilot', n.sent_by_autopilot,
                       'created_at', wire_time(n.created_at)) || n.details)::text,
                   clock_timestamp()
              FROM (SELECT f.*, new_id('evt_') AS event_id FROM fresh f
                     WHERE EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = f.agency_id AND s.type = 'message:new'
                                      AND (s.account_id IS NULL OR s.account_id = f.account_id))) n
              JOIN chats c ON c.id = n.chat_id;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'new messages were not put into the outbox: %', SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER messages_to_outbox AFTER INSERT ON messages REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_new_messages();
