-- Who is who. Ids are text in their prefixed form; times are microseconds since 1970.

CREATE TABLE agencies (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE accounts (
    id         TEXT PRIMARY KEY,
    agency_id  TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- lets other tables name an account together with its agency, so that the two can never disagree
    UNIQUE (id, agency_id)
) STRICT;
CREATE INDEX accounts_by_agency ON accounts (agency_id);

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    agency_id     TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- lower case: unique in the hub, compared without case
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled      INTEGER NOT NULL,
    token_epoch   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (id, agency_id)
) STRICT;
CREATE INDEX users_by_agency ON users (agency_id);

CREATE TABLE memberships (
    user_id    TEXT NOT NULL,
    account_id TEXT NOT NULL,
    agency_id  TEXT NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (user_id, account_id),
    FOREIGN KEY (user_id, agency_id) REFERENCES users (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX memberships_by_account ON memberships (account_id);

CREATE TABLE sources (
    id           TEXT PRIMARY KEY,
    agency_id    TEXT NOT NULL,
    account_id   TEXT NOT NULL,
    kind         TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    name         TEXT NOT NULL,
    -- sealed with the master key
    token        BLOB NOT NULL,
    app_secrets  BLOB NOT NULL,
    verify_token BLOB,
    enabled      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    UNIQUE (kind, external_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX sources_by_account ON sources (account_id);

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    agency_id  TEXT NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- none: every account of the agency
    account_id TEXT,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    key_hash   BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX api_keys_by_agency ON api_keys (agency_id);

CREATE TABLE issuers (
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
CREATE INDEX issuers_by_agency ON issuers (agency_id);

CREATE TABLE revoked_tokens (
    jti        TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- One row that grows with every change of the tables above.
CREATE TABLE directory_version (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT INTO directory_version (id, version) VALUES (1, 0);
