-- Who is who. Ids are text in their prefixed form and compare byte by byte.

CREATE TABLE agencies (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE accounts (
    id         TEXT COLLATE "C" PRIMARY KEY,
    agency_id  TEXT COLLATE "C" NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- lets other tables name an account together with its agency, so that the two can never disagree
    UNIQUE (id, agency_id)
);
CREATE INDEX accounts_by_agency ON accounts (agency_id);

CREATE TABLE users (
    id            TEXT COLLATE "C" PRIMARY KEY,
    agency_id     TEXT COLLATE "C" NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- lower case: unique in the hub, compared without case
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled      BOOLEAN NOT NULL,
    token_epoch   BIGINT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    UNIQUE (id, agency_id)
);
CREATE INDEX users_by_agency ON users (agency_id);

CREATE TABLE memberships (
    user_id    TEXT COLLATE "C" NOT NULL,
    account_id TEXT COLLATE "C" NOT NULL,
    agency_id  TEXT COLLATE "C" NOT NULL,
    role       TEXT NOT NULL,
    PRIMARY KEY (user_id, account_id),
    FOREIGN KEY (user_id, agency_id) REFERENCES users (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX memberships_by_account ON memberships (account_id);

CREATE TABLE sources (
    id           TEXT COLLATE "C" PRIMARY KEY,
    agency_id    TEXT COLLATE "C" NOT NULL,
    account_id   TEXT COLLATE "C" NOT NULL,
    kind         TEXT NOT NULL,
    external_id  TEXT NOT NULL,
    name         TEXT NOT NULL,
    -- sealed with the master key
    token        BYTEA NOT NULL,
    app_secrets  BYTEA NOT NULL,
    verify_token BYTEA,
    enabled      BOOLEAN NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (kind, external_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX sources_by_account ON sources (account_id);

CREATE TABLE api_keys (
    id         TEXT COLLATE "C" PRIMARY KEY,
    agency_id  TEXT COLLATE "C" NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    -- none: every account of the agency
    account_id TEXT COLLATE "C",
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    key_hash   BYTEA NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX api_keys_by_agency ON api_keys (agency_id);

CREATE TABLE issuers (
    id         TEXT COLLATE "C" PRIMARY KEY,
    agency_id  TEXT COLLATE "C" NOT NULL REFERENCES agencies (id) ON DELETE CASCADE,
    iss        TEXT NOT NULL UNIQUE,
    audience   TEXT,
    -- sealed with the master key
    secret     BYTEA,
    jwks_url   TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    CHECK ((secret IS NULL) <> (jwks_url IS NULL))
);
CREATE INDEX issuers_by_agency ON issuers (agency_id);

CREATE TABLE revoked_tokens (
    jti        TEXT COLLATE "C" PRIMARY KEY,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

-- One row that grows with every change of the tables above.
CREATE TABLE directory_version (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO directory_version (id, version) VALUES (1, 0);
