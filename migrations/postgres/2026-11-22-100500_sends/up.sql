-- Replies on their way to a platform: the queue itself, and afterwards the record of what became of each.

CREATE TABLE sends (
    id          TEXT COLLATE "C" PRIMARY KEY,
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    chat_id     TEXT COLLATE "C" NOT NULL,
    -- no foreign key: what became of a send is still known when its source is gone
    source_id   TEXT COLLATE "C" NOT NULL,
    client_id   TEXT COLLATE "C" NOT NULL,
    text        TEXT NOT NULL,
    by_user     TEXT COLLATE "C",
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed')),
    reason_code TEXT,
    reason      TEXT,
    -- the message that it has become, and the platform's id of that
    message_id  TEXT COLLATE "C",
    platform_id TEXT,
    attempts    INTEGER NOT NULL,
    next_try    TIMESTAMPTZ NOT NULL,
    tried_at    TIMESTAMPTZ,
    -- grows within a chat, so that it decides on the order
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    -- who asks twice is answered by the first
    UNIQUE (account_id, agency_id, client_id),
    FOREIGN KEY (chat_id, account_id, agency_id) REFERENCES chats (id, account_id, agency_id) ON DELETE CASCADE
);
CREATE INDEX sends_of_chat ON sends (chat_id, account_id, agency_id, created_at);
-- The condition stands word for word in src/store/queries/sends.rs.
CREATE INDEX sends_open ON sends (source_id, next_try) WHERE state IN ('pending', 'sending');
-- No two sends are the same message.
CREATE UNIQUE INDEX sends_message ON sends (message_id) WHERE message_id IS NOT NULL;
