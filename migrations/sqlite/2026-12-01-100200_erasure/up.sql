-- What was deleted, so that nothing that is still on its way brings it back, and so that what was begun is finished after a
-- crash. It names ids and nobody.
CREATE TABLE erasures (
    agency_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    -- lead, prospect, chat, message, campaign
    thing       TEXT NOT NULL,
    subject     TEXT NOT NULL,
    -- of a chat: what was written until then
    until       INTEGER,
    -- what is still to be looked for in the inbox; empty when that is done
    traces      TEXT NOT NULL CHECK (json_valid(traces)),
    -- dashboards know, or are told by whoever deleted it
    told        INTEGER NOT NULL,
    erased_at   INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (account_id, subject),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX erasures_open ON erasures (erased_at) WHERE finished_at IS NULL;
CREATE INDEX erasures_newest ON erasures (account_id, erased_at);

-- Whoever writes them: a row that was deleted is passed over.
CREATE TRIGGER leads_erased BEFORE INSERT ON leads
WHEN EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id AND e.subject = NEW.id)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER enhanced_leads_erased BEFORE INSERT ON enhanced_leads
WHEN EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id
                AND e.subject IN (NEW.id, NEW.campaign_id, NEW.lead_id))
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER campaigns_erased BEFORE INSERT ON campaigns
WHEN EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id AND e.subject = NEW.id)
BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER api_costs_erased BEFORE INSERT ON api_costs
WHEN NEW.campaign_id IS NOT NULL
 AND EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id AND e.subject = NEW.campaign_id)
BEGIN SELECT RAISE(IGNORE); END;

-- Deleting asks for them.
CREATE INDEX outbox_of_subject ON outbox (subject);
