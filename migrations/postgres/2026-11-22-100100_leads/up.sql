CREATE TABLE leads (
    id                      TEXT COLLATE "C" PRIMARY KEY,
    agency_id               TEXT COLLATE "C" NOT NULL,
    account_id              TEXT COLLATE "C" NOT NULL,
    -- no foreign key: a lead that is still on its way must not be refused because its source was removed meanwhile
    source_id               TEXT COLLATE "C",
    meta_lead_id            TEXT COLLATE "C",
    meta_user_id            TEXT,
    name                    TEXT NOT NULL,
    phone                   TEXT NOT NULL,
    email                   TEXT NOT NULL,
    message                 TEXT NOT NULL,
    type                    TEXT NOT NULL,
    status                  TEXT NOT NULL,
    potential_status        TEXT NOT NULL,
    notes                   TEXT NOT NULL,
    is_manual               BOOLEAN NOT NULL,
    -- hundredths
    premium                 BIGINT NOT NULL,
    renewal_date            DATE,
    insurance_type          TEXT,
    policy_term             TEXT,
    visa_type               TEXT,
    -- hundredths
    coverage                BIGINT,
    trip_start              DATE,
    trip_end                DATE,
    last_sync               TIMESTAMPTZ,
    sync_status             TEXT NOT NULL,
    sync_signal             TEXT,
    driver_license_received TEXT NOT NULL,
    created_at              TIMESTAMPTZ NOT NULL,
    updated_at              TIMESTAMPTZ NOT NULL,
    meta_data               JSONB,
    UNIQUE (account_id, meta_lead_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
-- Pages are cut from these alone, without a look at the rows.
CREATE INDEX leads_newest ON leads (account_id, created_at DESC, id DESC);
CREATE INDEX leads_newest_by_status ON leads (account_id, status, created_at DESC, id DESC);
