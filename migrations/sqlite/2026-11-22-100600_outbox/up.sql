-- Webhooks that the hub sends: where to, what, and what became of each. Times are microseconds since 1970.

CREATE TABLE endpoints (
    id              TEXT PRIMARY KEY,
    agency_id       TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- none: every account of the agency
    account_id      TEXT,
    url             TEXT NOT NULL,
    description     TEXT NOT NULL,
    types           TEXT NOT NULL CHECK (json_valid(types)),
    -- one delivery a subject at a time, the oldest first
    ordered         INTEGER NOT NULL,
    enabled         INTEGER NOT NULL,
    -- why the hub itself disabled it
    disabled_reason TEXT,
    -- sealed with the master key
    token           BLOB,
    secret          BLOB NOT NULL,
    -- signs as well until then
    previous_secret BLOB,
    previous_until  INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX endpoints_by_agency ON endpoints (agency_id);

-- What enabled endpoints want, a row a type: written with the endpoint, so that a trigger asks one index.
CREATE TABLE subscriptions (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    type        TEXT NOT NULL,
    agency_id   TEXT NOT NULL,
    account_id  TEXT,
    PRIMARY KEY (endpoint_id, type)
) STRICT;
CREATE INDEX subscriptions_wanted ON subscriptions (agency_id, type, account_id);

-- Written by triggers, in the transaction of the change. No foreign keys: that change has them, and looking again is half of
-- what a row costs; when an account goes, its rows go by triggers.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- what receivers know it by; no index, for only people look for it, and among one endpoint's
    event_id   TEXT NOT NULL,
    agency_id  TEXT NOT NULL,
    -- none: a test of an endpoint for every account
    account_id TEXT,
    type       TEXT NOT NULL,
    -- what keeps its order: a lead, a chat, a campaign
    subject    TEXT NOT NULL,
    -- the row that changed
    record_id  TEXT NOT NULL,
    payload    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- when it was turned into deliveries
    routed_at  INTEGER
) STRICT;
CREATE INDEX outbox_unrouted ON outbox (id) WHERE routed_at IS NULL;

-- A person's wish to have deliveries made again.
CREATE TABLE replays (
    id          TEXT PRIMARY KEY,
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    total       INTEGER NOT NULL,
    cancelled   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX replays_by_endpoint ON replays (endpoint_id);

CREATE TABLE deliveries (
    endpoint_id   TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    outbox_id     INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    -- these three as in the outbox
    agency_id     TEXT NOT NULL,
    account_id    TEXT,
    subject       TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'parked', 'cancelled')),
    -- why it is parked or cancelled
    reason        TEXT,
    attempts      INTEGER NOT NULL,
    -- in a row: decides on the next wait
    failures      INTEGER NOT NULL,
    -- patience counts from here
    since         INTEGER NOT NULL,
    next_try      INTEGER NOT NULL,
    -- a hub is at it until then, or has died
    claimed_until INTEGER,
    finished_at   INTEGER,
    replay_id     TEXT REFERENCES replays (id) ON DELETE SET NULL,
    PRIMARY KEY (endpoint_id, outbox_id),
    CHECK ((state = 'pending') = (finished_at IS NULL))
) STRICT;
CREATE INDEX deliveries_of_outbox ON deliveries (outbox_id);
CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_try) WHERE finished_at IS NULL;
CREATE INDEX deliveries_in_order ON deliveries (endpoint_id, subject, outbox_id) WHERE finished_at IS NULL;
CREATE INDEX deliveries_parked ON deliveries (account_id) WHERE state = 'parked';
CREATE INDEX deliveries_of_replay ON deliveries (replay_id) WHERE replay_id IS NOT NULL;

CREATE TABLE delivery_attempts (
    endpoint_id TEXT NOT NULL,
    outbox_id   INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    url         TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status      INTEGER,
    -- how the answer begins
    answer      TEXT,
    error       TEXT,
    PRIMARY KEY (endpoint_id, outbox_id, attempt),
    FOREIGN KEY (endpoint_id, outbox_id) REFERENCES deliveries (endpoint_id, outbox_id) ON DELETE CASCADE
) STRICT;

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
       a.started_at + a.duration_ms * 1000 AS completed_at,
       a.error AS error_message,
       CASE WHEN d.state = 'pending' AND a.attempt = d.attempts THEN d.next_try END AS retry_at
  FROM deliveries d
  JOIN outbox o ON o.id = d.outbox_id
  JOIN endpoints e ON e.id = d.endpoint_id
  LEFT JOIN delivery_attempts a ON a.endpoint_id = d.endpoint_id AND a.outbox_id = d.outbox_id;

CREATE TRIGGER accounts_forget_outbox AFTER DELETE ON accounts
BEGIN
    DELETE FROM outbox WHERE account_id = OLD.id;
END;
CREATE TRIGGER agencies_forget_outbox AFTER DELETE ON agencies
BEGIN
    DELETE FROM outbox WHERE agency_id = OLD.id;
END;

-- The events' ids come from a subquery with a limit: SQLite does not unfold one, so that column and payload get the same.
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
