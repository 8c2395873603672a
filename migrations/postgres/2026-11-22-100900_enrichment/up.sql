-- Enrichment of prospects: what is known of them, and how far each is. Rows of enhanced_leads are the agency's data; how the
-- hub works on them stands apart.

ALTER TABLE accounts
    -- leads with a company or a domain become prospects
    ADD COLUMN enrich_leads BOOLEAN NOT NULL DEFAULT FALSE,
    -- none: the hub's default
    ADD COLUMN quality_threshold INTEGER;

ALTER TABLE enhanced_leads
    -- the lead that it was made of
    ADD COLUMN lead_id TEXT COLLATE "C" REFERENCES leads (id) ON DELETE CASCADE,
    ADD COLUMN rating DOUBLE PRECISION,
    ADD COLUMN review_count BIGINT,
    ADD COLUMN owner_email TEXT,
    ADD COLUMN processing_stage TEXT,
    ADD COLUMN pre_validation_score INTEGER,
    ADD COLUMN is_qualified BOOLEAN,
    ADD COLUMN website_validated BOOLEAN,
    ADD COLUMN email_validated BOOLEAN,
    -- the next five are told by others, if at all
    ADD COLUMN registry_validated BOOLEAN,
    ADD COLUMN is_nonprofit BOOLEAN,
    ADD COLUMN is_public_company BOOLEAN,
    ADD COLUMN has_intellectual_property BOOLEAN,
    ADD COLUMN is_international BOOLEAN,
    ADD COLUMN processing_cost NUMERIC(12,4),
    ADD COLUMN enrichment_completed_at TIMESTAMPTZ,
    ADD COLUMN enrichment_data JSONB,
    ADD COLUMN error_message TEXT;
CREATE INDEX enhanced_leads_of_lead ON enhanced_leads (lead_id) WHERE lead_id IS NOT NULL;

CREATE TABLE enrichments (
    lead_id       TEXT COLLATE "C" PRIMARY KEY REFERENCES enhanced_leads (id) ON DELETE CASCADE,
    agency_id     TEXT COLLATE "C" NOT NULL,
    account_id    TEXT COLLATE "C" NOT NULL,
    -- how often somebody asked for it; part of the ids of what is told
    run           INTEGER NOT NULL,
    -- the next to be done, from 1; the last one when it is finished
    stage         INTEGER NOT NULL CHECK (stage BETWEEN 1 AND 4),
    -- of each stage that is done
    results       JSONB NOT NULL,
    cost          DOUBLE PRECISION NOT NULL,
    -- at this stage
    attempts      INTEGER NOT NULL,
    next_try      TIMESTAMPTZ NOT NULL,
    -- a hub is at it until then, or has died
    claimed_until TIMESTAMPTZ,
    finished_at   TIMESTAMPTZ,
    -- why it ended early
    reason        TEXT,
    -- as what its campaign's progress counts it: qualified, enriched, error
    counted_as    TEXT,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX enrichments_due ON enrichments (account_id, next_try, lead_id) WHERE finished_at IS NULL;
