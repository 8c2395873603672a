-- Prospecting: campaigns, the leads that they find, what that costs. Rows may also come from programs that are not the
-- hub, so ids and times have defaults, and amounts are in units of money, not in hundredths. Times are microseconds since 1970.

CREATE TABLE campaigns (
    id            TEXT PRIMARY KEY DEFAULT ('cmp_0' || substr(hex(randomblob(13)), 1, 25)),
    agency_id     TEXT NOT NULL,
    account_id    TEXT NOT NULL,
    name          TEXT NOT NULL,
    user_id       TEXT,
    search_query  TEXT,
    location      TEXT,
    business_type TEXT,
    target_count  INTEGER,
    budget_limit  REAL,
    status        TEXT NOT NULL DEFAULT 'pending',
    leads_found   INTEGER NOT NULL DEFAULT 0,
    total_cost    REAL NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    -- lets others name a campaign together with its account and agency, so that the three can never disagree
    UNIQUE (id, account_id, agency_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX campaigns_newest ON campaigns (account_id, agency_id, created_at DESC, id DESC);

CREATE TABLE campaign_processing_status (
    campaign_id          TEXT PRIMARY KEY,
    agency_id            TEXT NOT NULL,
    account_id           TEXT NOT NULL,
    status               TEXT NOT NULL DEFAULT 'pending',
    total_leads          INTEGER NOT NULL DEFAULT 0,
    processed_leads      INTEGER NOT NULL DEFAULT 0,
    qualified_leads      INTEGER NOT NULL DEFAULT 0,
    error_leads          INTEGER NOT NULL DEFAULT 0,
    processing_cost      REAL NOT NULL DEFAULT 0,
    started_at           INTEGER,
    completed_at         INTEGER,
    estimated_completion INTEGER,
    -- discovery, enrichment, validation, export
    current_stage        TEXT,
    -- 0 to 100
    stage_progress       REAL NOT NULL DEFAULT 0,
    error_message        TEXT,
    processing_metadata  TEXT CHECK (processing_metadata IS NULL OR json_valid(processing_metadata)),
    created_at           INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    updated_at           INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
) STRICT;

-- What happened to campaigns, whether or not somebody is told.
CREATE TABLE campaign_lifecycle_log (
    id              TEXT PRIMARY KEY DEFAULT ('evt_0' || substr(hex(randomblob(13)), 1, 25)),
    agency_id       TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    campaign_id     TEXT NOT NULL,
    lifecycle_event TEXT NOT NULL,
    previous_state  TEXT,
    new_state       TEXT NOT NULL,
    -- the whole payload; its id is the row's
    event_data      TEXT CHECK (json_valid(event_data)) NOT NULL,
    triggered_by    TEXT NOT NULL DEFAULT 'database_trigger',
    created_at      INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    processed_at    INTEGER,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX campaign_lifecycle_log_of_campaign ON campaign_lifecycle_log (campaign_id, created_at);

CREATE TABLE enhanced_leads (
    id               TEXT PRIMARY KEY DEFAULT ('lead_0' || substr(hex(randomblob(13)), 1, 25)),
    agency_id        TEXT NOT NULL,
    account_id       TEXT NOT NULL,
    campaign_id      TEXT,
    name             TEXT NOT NULL,
    address          TEXT,
    city             TEXT,
    state            TEXT,
    postal_code      TEXT,
    country          TEXT,
    source           TEXT,
    phone            TEXT,
    website          TEXT,
    category         TEXT,
    email            TEXT,
    owner_name       TEXT,
    owner_title      TEXT,
    status           TEXT NOT NULL DEFAULT 'new',
    google_place_id  TEXT,
    confidence_score INTEGER,
    created_at       INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    updated_at       INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX enhanced_leads_newest ON enhanced_leads (account_id, agency_id, created_at DESC, id DESC);
CREATE INDEX enhanced_leads_of_campaign ON enhanced_leads (campaign_id) WHERE campaign_id IS NOT NULL;

CREATE TABLE api_costs (
    id          TEXT PRIMARY KEY DEFAULT ('cost_0' || substr(hex(randomblob(13)), 1, 25)),
    agency_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    api_service TEXT NOT NULL,
    cost        REAL NOT NULL,
    campaign_id TEXT,
    -- no foreign key: what was paid for a lead was paid, also when the lead is gone
    lead_id     TEXT,
    created_at  INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX api_costs_newest ON api_costs (account_id, agency_id, created_at);
CREATE INDEX api_costs_of_campaign ON api_costs (campaign_id) WHERE campaign_id IS NOT NULL;

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

CREATE TRIGGER campaigns_created AFTER INSERT ON campaigns
BEGIN
    INSERT INTO campaign_lifecycle_log (agency_id, account_id, campaign_id, lifecycle_event, previous_state, new_state,
                                        event_data)
    VALUES (NEW.agency_id, NEW.account_id, NEW.id, 'created', NULL, NEW.status, json_object(
        'campaign_name', NEW.name, 'search_query', NEW.search_query, 'location', NEW.location,
        'business_type', NEW.business_type, 'target_count', NEW.target_count, 'budget_limit', NEW.budget_limit,
        'user_id', NEW.user_id));
END;

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

-- A mark is passed, however small the steps.
CREATE TRIGGER campaign_progress_begun AFTER INSERT ON campaign_processing_status
WHEN NEW.stage_progress >= 25
BEGIN
    INSERT INTO campaign_lifecycle_log (agency_id, account_id, campaign_id, lifecycle_event, previous_state, new_state,
                                        event_data)
    VALUES (NEW.agency_id, NEW.account_id, NEW.campaign_id, 'progress_update', NEW.status, NEW.status, json_object(
        'processed_leads', NEW.processed_leads, 'qualified_leads', NEW.qualified_leads,
        'error_leads', NEW.error_leads, 'processing_cost', NEW.processing_cost, 'current_stage', NEW.current_stage,
        'old_progress', 0, 'new_progress', NEW.stage_progress,
        'estimated_completion', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.estimated_completion / 1000) / 1000.0, 'unixepoch')));
END;

CREATE TRIGGER campaign_progress AFTER UPDATE OF stage_progress ON campaign_processing_status
WHEN CAST(NEW.stage_progress / 25 AS INTEGER) > CAST(OLD.stage_progress / 25 AS INTEGER)
BEGIN
    INSERT INTO campaign_lifecycle_log (agency_id, account_id, campaign_id, lifecycle_event, previous_state, new_state,
                                        event_data)
    VALUES (NEW.agency_id, NEW.account_id, NEW.campaign_id, 'progress_update', NEW.status, NEW.status, json_object(
        'processed_leads', NEW.processed_leads, 'qualified_leads', NEW.qualified_leads,
        'error_leads', NEW.error_leads, 'processing_cost', NEW.processing_cost, 'current_stage', NEW.current_stage,
        'old_progress', OLD.stage_progress, 'new_progress', NEW.stage_progress,
        'estimated_completion', strftime('%Y-%m-%dT%H:%M:%fZ', (NEW.estimated_completion / 1000) / 1000.0, 'unixepoch')));
END;

-- The others write down what is particular to an event: here it becomes the whole payload, and goes into the outbox if
-- somebody wants it.
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
