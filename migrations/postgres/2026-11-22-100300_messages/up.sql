-- Ids of chats and messages are derived from account, source and the platform's id.

CREATE TABLE chats (
    id              TEXT COLLATE "C" PRIMARY KEY,
    agency_id       TEXT COLLATE "C" NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    -- no foreign key: a message that is still on its way must not be refused because its source was removed meanwhile
    source_id       TEXT COLLATE "C" NOT NULL,
    account_type    TEXT NOT NULL,
    platform_id     TEXT COLLATE "C" NOT NULL,
    provider_id     TEXT NOT NULL,
    name            TEXT,
    -- when the message was written that the name is from: the oldest that has one
    named_at        TIMESTAMPTZ,
    -- of the newest message that is shown, by the platform's clock
    timestamp       TIMESTAMPTZ NOT NULL,
    last_message    TEXT,
    unread_count    BIGINT NOT NULL,
    -- every message of the other side until then was read by us
    read_up_to      TIMESTAMPTZ,
    -- every message of the account's own until then was read, or has reached the other side
    seen_up_to      TIMESTAMPTZ,
    delivered_up_to TIMESTAMPTZ,
    is_ignored      BOOLEAN NOT NULL,
    assist_mode     TEXT NOT NULL,
    assignee        TEXT COLLATE "C",
    created_at      TIMESTAMPTZ NOT NULL,
    updated_at      TIMESTAMPTZ NOT NULL,
    -- lets messages name a chat together with its account and agency, so that the three can never disagree
    UNIQUE (id, account_id, agency_id),
    UNIQUE (account_id, agency_id, platform_id, source_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE,
    FOREIGN KEY (assignee, agency_id) REFERENCES users (id, agency_id)
);
-- Pages are cut and counted from these alone, without a look at the rows: agency and account are in them for that.
CREATE INDEX chats_newest ON chats (account_id, agency_id, timestamp DESC, id DESC);
CREATE INDEX chats_newest_unread ON chats (account_id, agency_id, timestamp DESC, id DESC) WHERE unread_count > 0;

CREATE TABLE messages (
    id                 TEXT COLLATE "C" PRIMARY KEY,
    agency_id          TEXT COLLATE "C" NOT NULL,
    account_id         TEXT COLLATE "C" NOT NULL,
    chat_id            TEXT COLLATE "C" NOT NULL,
    platform_id        TEXT NOT NULL,
    provider_id        TEXT NOT NULL,
    sender_id          TEXT,
    sender_attendee_id TEXT,
    sender_name        TEXT,
    -- these three are emptied when the message is taken back
    text               TEXT,
    original           TEXT,
    attachments        JSONB NOT NULL,
    timestamp          TIMESTAMPTZ NOT NULL,
    is_sender          BOOLEAN NOT NULL,
    -- one a sender, with its time; an empty value was taken back
    reactions          JSONB NOT NULL,
    -- for itself; the chat's times hold for all
    seen               BOOLEAN NOT NULL,
    delivered          BOOLEAN NOT NULL,
    seen_by            JSONB,
    hidden             BOOLEAN NOT NULL,
    is_event           BOOLEAN NOT NULL,
    sent_by_autopilot  BOOLEAN NOT NULL,
    -- of the newest edit, which has given it its text
    edited_at          TIMESTAMPTZ,
    deleted_at         TIMESTAMPTZ,
    details            JSONB NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (chat_id, account_id, agency_id) REFERENCES chats (id, account_id, agency_id) ON DELETE CASCADE
);
CREATE INDEX messages_of_chat ON messages (chat_id, account_id, agency_id, timestamp, id);
-- The condition stands word for word in src/store/queries/messages.rs.
CREATE INDEX messages_unread ON messages (chat_id, account_id, agency_id, timestamp)
    WHERE NOT is_sender AND NOT is_event AND NOT hidden AND NOT seen AND deleted_at IS NULL;

-- What became of messages that are not here yet.
CREATE TABLE message_changes (
    -- derived from the change
    id          TEXT COLLATE "C" PRIMARY KEY,
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    -- the id of a message or of a chat
    waits_for   TEXT COLLATE "C" NOT NULL,
    change      JSONB NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX message_changes_waiting ON message_changes (account_id, waits_for);
CREATE INDEX message_changes_oldest ON message_changes (account_id, received_at, id);
