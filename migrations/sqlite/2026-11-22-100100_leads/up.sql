-- Times are microseconds since 1970, days are text like 2026-11-22.
CREATE TABLE leads (
    id                      TEXT PRIMARY KEY,
    agency_id               TEXT NOT NULL,
    account_id              TEXT NOT NULL,
    -- no foreign key: a lead that is still on its way must not be refused because its source was removed meanwhile
    source_id               TEXT,
    meta_lead_id            TEXT,
    meta_user_id            TEXT,
    name                    TEXT NOT NULL,
    phone                   TEXT NOT NULL,
    email                   TEXT NOT NULL,
    message                 TEXT NOT NULL,
    type                    TEXT NOT NULL,
    status                  TEXT NOT NULL,
    potential_status        TEXT NOT NULL,
    notes                   TEXT NOT NULL,
    is_manual               INTEGER NOT NULL,
    -- hundredths
    premium                 INTEGER NOT NULL,
    renewal_date            TEXT,
    insurance_type          TEXT,
    policy_term             TEXT,
    visa_type               TEXT,
    -- hundredths
    coverage                INTEGER,
    trip_start              TEXT,
    trip_end                TEXT,
    last_sync               INTEGER,
    sync_status             TEXT NOT NULL,
    sync_signal             TEXT,
    driver_license_received TEXT NOT NULL,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL,
    meta_data               TEXT CHECK (json_valid(meta_data)),
    UNIQUE (account_id, meta_lead_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
-- Pages are cut from these alone, without a look at the rows.
CREATE INDEX leads_newest ON leads (account_id, created_at DESC, id DESC);
CREATE INDEX leads_newest_by_status ON leads (account_id, status, created_at DESC, id DESC);
