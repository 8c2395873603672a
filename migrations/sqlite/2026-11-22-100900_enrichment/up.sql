-- Enrichment of prospects: what is known of them, and how far each is. Rows of enhanced_leads are the agency's data; how the
-- hub works on them stands apart.

-- leads with a company or a domain become prospects
ALTER TABLE accounts ADD COLUMN enrich_leads INTEGER NOT NULL DEFAULT 0;
-- none: the hub's default
ALTER TABLE accounts ADD COLUMN quality_threshold INTEGER;

-- the lead that it was made of
ALTER TABLE enhanced_leads ADD COLUMN lead_id TEXT REFERENCES leads (id) ON DELETE CASCADE;
ALTER TABLE enhanced_leads ADD COLUMN rating REAL;
ALTER TABLE enhanced_leads ADD COLUMN review_count INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN owner_email TEXT;
ALTER TABLE enhanced_leads ADD COLUMN processing_stage TEXT;
ALTER TABLE enhanced_leads ADD COLUMN pre_validation_score INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN is_qualified INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN website_validated INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN email_validated INTEGER;
-- the next five are told by others, if at all
ALTER TABLE enhanced_leads ADD COLUMN registry_validated INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN is_nonprofit INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN is_public_company INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN has_intellectual_property INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN is_international INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN processing_cost REAL;
ALTER TABLE enhanced_leads ADD COLUMN enrichment_completed_at INTEGER;
ALTER TABLE enhanced_leads ADD COLUMN enrichment_data TEXT CHECK (json_valid(enrichment_data));
ALTER TABLE enhanced_leads ADD COLUMN error_message TEXT;
CREATE INDEX enhanced_leads_of_lead ON enhanced_leads (lead_id) WHERE lead_id IS NOT NULL;

CREATE TABLE enrichments (
    lead_id       TEXT PRIMARY KEY REFERENCES enhanced_leads (id) ON DELETE CASCADE,
    agency_id     TEXT NOT NULL,
    account_id    TEXT NOT NULL,
    -- how often somebody asked for it; part of the ids of what is told
    run           INTEGER NOT NULL,
    -- the next to be done, from 1; the last one when it is finished
    stage         INTEGER NOT NULL CHECK (stage BETWEEN 1 AND 4),
    -- of each stage that is done
    results       TEXT NOT NULL CHECK (json_valid(results)),
    cost          REAL NOT NULL,
    -- at this stage
    attempts      INTEGER NOT NULL,
    next_try      INTEGER NOT NULL,
    -- a hub is at it until then, or has died
    claimed_until INTEGER,
    finished_at   INTEGER,
    -- why it ended early
    reason        TEXT,
    -- as what its campaign's progress counts it: qualified, enriched, error
    counted_as    TEXT,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX enrichments_due ON enrichments (account_id, next_try, lead_id) WHERE finished_at IS NULL;
