-- Prospecting: campaigns, the leads that they find, what that costs. Rows may also come from programs that are not the
-- hub, so ids and times have defaults, and amounts are in units of money, not in hundredths.

CREATE TABLE campaigns (
    id            TEXT COLLATE "C" PRIMARY KEY DEFAULT new_id('cmp_'),
    agency_id     TEXT COLLATE "C" NOT NULL,
    account_id    TEXT COLLATE "C" NOT NULL,
    name          TEXT NOT NULL,
    user_id       TEXT,
    search_query  TEXT,
    location      TEXT,
    business_type TEXT,
    target_count  BIGINT,
    budget_limit  NUMERIC(12,2),
    status        TEXT NOT NULL DEFAULT 'pending',
    leads_found   BIGINT NOT NULL DEFAULT 0,
    total_cost    NUMERIC(12,4) NOT NULL DEFAULT 0,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
    -- lets others name a campaign together with its account and agency, so that the three can never disagree
    UNIQUE (id, account_id, agency_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX campaigns_newest ON campaigns (account_id, agency_id, created_at DESC, id DESC);

CREATE TABLE campaign_processing_status (
    campaign_id          TEXT COLLATE "C" PRIMARY KEY,
    agency_id            TEXT COLLATE "C" NOT NULL,
    account_id           TEXT COLLATE "C" NOT NULL,
    status               TEXT NOT NULL DEFAULT 'pending',
    total_leads          BIGINT NOT NULL DEFAULT 0,
    processed_leads      BIGINT NOT NULL DEFAULT 0,
    qualified_leads      BIGINT NOT NULL DEFAULT 0,
    error_leads          BIGINT NOT NULL DEFAULT 0,
    processing_cost      NUMERIC(12,4) NOT NULL DEFAULT 0,
    started_at           TIMESTAMPTZ,
    completed_at         TIMESTAMPTZ,
    estimated_completion TIMESTAMPTZ,
    -- discovery, enrichment, validation, export
    current_stage        TEXT,
    -- 0 to 100
    stage_progress       NUMERIC(5,2) NOT NULL DEFAULT 0,
    error_message        TEXT,
    processing_metadata  JSONB,
    created_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at           TIMESTAMPTZ NOT NULL DEFAULT now(),
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
);

-- What happened to campaigns, whether or not somebody is told.
CREATE TABLE campaign_lifecycle_log (
    id              TEXT COLLATE "C" PRIMARY KEY DEFAULT new_id('evt_'),
    agency_id       TEXT COLLATE "C" NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    campaign_id     TEXT COLLATE "C" NOT NULL,
    lifecycle_event TEXT NOT NULL,
    previous_state  TEXT,
    new_state       TEXT NOT NULL,
    -- the whole payload; its id is the row's
    event_data      JSONB NOT NULL,
    triggered_by    TEXT NOT NULL DEFAULT 'database_trigger',
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    processed_at    TIMESTAMPTZ,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
);
CREATE INDEX campaign_lifecycle_log_of_campaign ON campaign_lifecycle_log (campaign_id, created_at);

CREATE TABLE enhanced_leads (
    id               TEXT COLLATE "C" PRIMARY KEY DEFAULT new_id('lead_'),
    agency_id        TEXT COLLATE "C" NOT NULL,
    account_id       TEXT COLLATE "C" NOT NULL,
    campaign_id      TEXT COLLATE "C",
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
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
);
CREATE INDEX enhanced_leads_newest ON enhanced_leads (account_id, agency_id, created_at DESC, id DESC);
CREATE INDEX enhanced_leads_of_campaign ON enhanced_leads (campaign_id) WHERE campaign_id IS NOT NULL;

CREATE TABLE api_costs (
    id          TEXT COLLATE "C" PRIMARY KEY DEFAULT new_id('cost_'),
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    api_service TEXT NOT NULL,
    cost        NUMERIC(12,4) NOT NULL,
    campaign_id TEXT COLLATE "C",
    -- no foreign key: what was paid for a lead was paid, also when the lead is gone
    lead_id     TEXT COLLATE "C",
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (campaign_id, account_id, agency_id) REFERENCES campaigns (id, account_id, agency_id) ON DELETE CASCADE
);
CREATE INDEX api_costs_newest ON api_costs (account_id, agency_id, created_at);
CREATE INDEX api_costs_of_campaign ON api_costs (campaign_id) WHERE campaign_id IS NOT NULL;

-- As in the outbox's own migration, but by row: these come one by one, and a look at the statement costs more than a row.
CREATE FUNCTION outbox_new_prospect() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    event_id TEXT;
BEGIN
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'lead_enrichment'
                  AND (s.account_id IS NULL OR s.account_id = NEW.account_id)) THEN
        BEGIN
            event_id := new_id('evt_');
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            VALUES (event_id, NEW.agency_id, NEW.account_id, 'lead_enrichment', NEW.id, NEW.id,
                    json_build_object(
                        'event_id', event_id, 'account_id', NEW.account_id,
                        'lead_id', NEW.id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
                        'location', json_build_object('address', NEW.address, 'city', NEW.city, 'state', NEW.state,
                                                      'postal_code', NEW.postal_code, 'country', NEW.country),
                        'phone', NEW.phone, 'website', NEW.website, 'category', NEW.category, 'source', NEW.source,
                        'google_place_id', NEW.google_place_id, 'confidence_score', NEW.confidence_score,
                        'created_at', wire_time(NEW.created_at),
                        'webhook_metadata', json_build_object('trigger_event', 'lead_insert',
                                                              'trigger_table', 'enhanced_leads',
                                                              'trigger_time', wire_time(clock_timestamp()))),
                    clock_timestamp());
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'prospect % was not put into the outbox: %', NEW.id, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER enhanced_leads_to_outbox AFTER INSERT ON enhanced_leads
    FOR EACH ROW EXECUTE FUNCTION outbox_new_prospect();

CREATE FUNCTION outbox_prospect_status() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'lead_status_update'
                  AND (s.account_id IS NULL OR s.account_id = NEW.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.id, NEW.agency_id, NEW.account_id, 'lead_status_update', NEW.id, NEW.id,
                   json_build_object(
                       'event_id', n.id, 'account_id', NEW.account_id,
                       'lead_id', NEW.id, 'business_name', NEW.name, 'campaign_id', NEW.campaign_id,
                       'old_status', OLD.status, 'new_status', NEW.status, 'confidence_score', NEW.confidence_score,
                       'enrichment_data', json_build_object('email', NEW.email, 'phone', NEW.phone, 'website', NEW.website,
                                                             'owner_name', NEW.owner_name, 'owner_title', NEW.owner_title),
                       'updated_at', wire_time(NEW.updated_at),
                       'webhook_metadata', json_build_object('trigger_event', 'lead_status_update',
                                                              'trigger_table', 'enhanced_leads',
                                                              'trigger_time', wire_time(clock_timestamp())))::text,
                   clock_timestamp()
              FROM (SELECT new_id('evt_') AS id) n;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'the status of prospect % was not put into the outbox: %', NEW.id, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER enhanced_leads_status_to_outbox AFTER UPDATE OF status ON enhanced_leads
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status AND NEW.status IN ('enriched', 'validated', 'qualified'))
    EXECUTE FUNCTION outbox_prospect_status();

CREATE FUNCTION outbox_costs() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = NEW.agency_id AND s.type = 'cost_recorded'
                  AND (s.account_id IS NULL OR s.account_id = NEW.account_id)) THEN
        BEGIN
            INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
            SELECT n.id, NEW.agency_id, NEW.account_id, 'cost_recorded', NEW.id, NEW.id,
                   json_build_object(
                       'event_id', n.id, 'account_id', NEW.account_id,
                       'cost_id', NEW.id, 'api_service', NEW.api_service, 'cost', NEW.cost,
                       'campaign_id', NEW.campaign_id, 'lead_id', NEW.lead_id, 'created_at', wire_time(NEW.created_at),
                       'webhook_metadata', json_build_object('trigger_event', 'cost_' || lower(TG_OP),
                                                              'trigger_table', 'api_costs',
                                                              'trigger_time', wire_time(clock_timestamp())))::text,
                   clock_timestamp()
              FROM (SELECT new_id('evt_') AS id) n;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'cost % was not put into the outbox: %', NEW.id, SQLERRM;
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER api_costs_to_outbox AFTER INSERT ON api_costs FOR EACH ROW EXECUTE FUNCTION outbox_costs();
CREATE TRIGGER api_costs_change_to_outbox AFTER UPDATE ON api_costs
    FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*) EXECUTE FUNCTION outbox_costs();

-- Writes down what happened to a campaign, and puts it into the outbox if somebody wants it.
CREATE FUNCTION note_lifecycle(campaign TEXT, event TEXT, before TEXT, after TEXT, details JSONB) RETURNS VOID
LANGUAGE plpgsql AS $$
DECLARE
    c campaigns%ROWTYPE;
    event_id TEXT := new_id('evt_');
    progress JSONB;
    payload JSONB;
BEGIN
    SELECT * INTO c FROM campaigns WHERE id = campaign;
    SELECT jsonb_build_object(
               'status', p.status, 'total_leads', p.total_leads, 'processed_leads', p.processed_leads,
               'qualified_leads', p.qualified_leads, 'error_leads', p.error_leads, 'processing_cost', p.processing_cost,
               'current_stage', p.current_stage, 'stage_progress', p.stage_progress,
               'completion_percentage',
               CASE WHEN p.total_leads > 0 THEN round(p.processed_leads * 100.0 / p.total_leads, 2) ELSE 0 END,
               'started_at', wire_time(p.started_at), 'estimated_completion', wire_time(p.estimated_completion))
      INTO progress FROM campaign_processing_status p WHERE p.campaign_id = campaign;
    payload := jsonb_build_object(
        'event_id', event_id, 'account_id', c.account_id, 'campaign_id', c.id, 'lifecycle_event', event,
        'campaign_info', jsonb_build_object(
            'name', c.name, 'status', c.status, 'user_id', c.user_id, 'search_query', c.search_query,
            'location', c.location, 'business_type', c.business_type, 'target_count', c.target_count,
            'budget_limit', c.budget_limit, 'created_at', wire_time(c.created_at)),
        'event_data', details,
        'processing_status', progress,
        'webhook_metadata', jsonb_build_object('trigger_source', 'database_trigger',
                                               'trigger_time', wire_time(clock_timestamp())));
    INSERT INTO campaign_lifecycle_log (id, agency_id, account_id, campaign_id, lifecycle_event, previous_state, new_state,
                                        event_data, created_at)
    VALUES (event_id, c.agency_id, c.account_id, c.id, event, before, after, payload, clock_timestamp());
    IF EXISTS (SELECT 1 FROM subscriptions s WHERE s.agency_id = c.agency_id AND s.type = 'campaign_lifecycle'
                  AND (s.account_id IS NULL OR s.account_id = c.account_id)) THEN
        INSERT INTO outbox (event_id, agency_id, account_id, type, subject, record_id, payload, created_at)
        VALUES (event_id, c.agency_id, c.account_id, 'campaign_lifecycle', c.id, c.id, payload::text, clock_timestamp());
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'what happened to campaign % was not written down: %', campaign, SQLERRM;
END $$;

CREATE FUNCTION note_campaign() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM note_lifecycle(NEW.id, 'created', NULL, NEW.status, jsonb_build_object(
            'campaign_name', NEW.name, 'search_query', NEW.search_query, 'location', NEW.location,
            'business_type', NEW.business_type, 'target_count', NEW.target_count, 'budget_limit', NEW.budget_limit,
            'user_id', NEW.user_id));
    ELSE
        PERFORM note_lifecycle(
            NEW.id,
            CASE NEW.status WHEN 'processing' THEN 'processing_started'
                            WHEN 'completed' THEN 'completed'
                            WHEN 'error' THEN 'error'
                            WHEN 'cancelled' THEN 'cancelled'
                            ELSE 'status_changed' END,
            OLD.status, NEW.status, jsonb_build_object(
                'old_status', OLD.status, 'new_status', NEW.status, 'status_changed_at', wire_time(clock_timestamp()),
                'leads_found', NEW.leads_found, 'total_cost', NEW.total_cost));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER campaigns_created AFTER INSERT ON campaigns FOR EACH ROW EXECUTE FUNCTION note_campaign();
CREATE TRIGGER campaigns_status AFTER UPDATE OF status ON campaigns
    FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status) EXECUTE FUNCTION note_campaign();

CREATE FUNCTION note_progress() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    before NUMERIC := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        before := OLD.stage_progress;
    END IF;
    -- a mark is passed, however small the steps
    IF floor(NEW.stage_progress / 25) > floor(before / 25) THEN
        PERFORM note_lifecycle(NEW.campaign_id, 'progress_update', NEW.status, NEW.status, jsonb_build_object(
            'processed_leads', NEW.processed_leads, 'qualified_leads', NEW.qualified_leads,
            'error_leads', NEW.error_leads, 'processing_cost', NEW.processing_cost, 'current_stage', NEW.current_stage,
            'old_progress', before, 'new_progress', NEW.stage_progress,
            'estimated_completion', wire_time(NEW.estimated_completion)));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER campaign_progress AFTER INSERT OR UPDATE OF stage_progress ON campaign_processing_status
    FOR EACH ROW EXECUTE FUNCTION note_progress();
