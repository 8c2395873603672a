-- Only one row of an `iss` fits: the oldest stays.
CREATE TABLE issuers_by_name (
    id         TEXT PRIMARY KEY,
    agency_id  TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    iss        TEXT NOT NULL UNIQUE,
    audience   TEXT,
    -- sealed with the master key
    secret     BLOB,
    jwks_url   TEXT,
    created_at INTEGER NOT NULL,
    CHECK ((secret IS NULL) <> (jwks_url IS NULL))
) STRICT;
INSERT INTO issuers_by_name (id, agency_id, iss, audience, secret, jwks_url, created_at)
SELECT id, agency_id, iss, audience, secret, jwks_url, created_at FROM issuers
WHERE id IN (SELECT min(id) FROM issuers GROUP BY iss);
DROP TABLE issuers;
ALTER TABLE issuers_by_name RENAME TO issuers;
CREATE INDEX issuers_by_agency ON issuers (agency_id);
