-- One issuer may serve several agencies: the audience of a token tells them apart. SQLite can't drop the old constraint on
-- `iss`, so the table is made anew.
CREATE TABLE issuers_by_audience (
    id          TEXT PRIMARY KEY,
    agency_id   TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    iss         TEXT NOT NULL,
    audience    TEXT,
    -- e-mail addresses count that a token does not call verified
    trust_email INTEGER NOT NULL DEFAULT 0,
    -- sealed with the master key
    secret      BLOB,
    jwks_url    TEXT,
    created_at  INTEGER NOT NULL,
    CHECK ((secret IS NULL) <> (jwks_url IS NULL))
) STRICT;
INSERT INTO issuers_by_audience (id, agency_id, iss, audience, secret, jwks_url, created_at)
SELECT id, agency_id, iss, audience, secret, jwks_url, created_at FROM issuers;
DROP TABLE issuers;
ALTER TABLE issuers_by_audience RENAME TO issuers;
CREATE INDEX issuers_by_agency ON issuers (agency_id);
CREATE UNIQUE INDEX issuers_by_iss ON issuers (iss, COALESCE(audience, ''));
