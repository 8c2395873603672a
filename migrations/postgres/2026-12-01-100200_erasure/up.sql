-- What was deleted, so that nothing that is still on its way brings it back, and so that what was begun is finished after a
-- crash. It names ids and nobody.
CREATE TABLE erasures (
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    -- lead, prospect, chat, message, campaign
    thing       TEXT NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    -- of a chat: what was written until then
    until       TIMESTAMPTZ,
    -- what is still to be looked for in the inbox; empty when that is done
    traces      JSONB NOT NULL,
    -- dashboards know, or are told by whoever deleted it
    told        BOOLEAN NOT NULL,
    erased_at   TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ,
    PRIMARY KEY (account_id, subject),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX erasures_open ON erasures (erased_at) WHERE finished_at IS NULL;
CREATE INDEX erasures_newest ON erasures (account_id, erased_at);

-- Whoever writes them: a row that was deleted is passed over. The function has the hub's rights, for others may not read the table.
CREATE FUNCTION pass_over_erased() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    is_erased BOOLEAN;
BEGIN
    IF TG_TABLE_NAME = 'enhanced_leads' THEN
        SELECT EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id
                          AND e.subject COLLATE "C" IN (NEW.id, NEW.campaign_id, NEW.lead_id)) INTO is_erased;
    ELSIF TG_TABLE_NAME = 'api_costs' THEN
        SELECT EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id
                          AND e.subject COLLATE "C" = NEW.campaign_id) INTO is_erased;
    ELSE
        SELECT EXISTS (SELECT 1 FROM erasures e WHERE e.account_id = NEW.account_id
                          AND e.subject COLLATE "C" = NEW.id) INTO is_erased;
    END IF;
    IF is_erased THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END $$;
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION pass_over_erased() SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
    REVOKE EXECUTE ON FUNCTION pass_over_erased() FROM PUBLIC;
END $$;
CREATE TRIGGER leads_erased BEFORE INSERT ON leads FOR EACH ROW EXECUTE FUNCTION pass_over_erased();
CREATE TRIGGER enhanced_leads_erased BEFORE INSERT ON enhanced_leads FOR EACH ROW EXECUTE FUNCTION pass_over_erased();
CREATE TRIGGER campaigns_erased BEFORE INSERT ON campaigns FOR EACH ROW EXECUTE FUNCTION pass_over_erased();
CREATE TRIGGER api_costs_erased BEFORE INSERT ON api_costs FOR EACH ROW WHEN (NEW.campaign_id IS NOT NULL)
    EXECUTE FUNCTION pass_over_erased();

-- Deleting asks for them.
CREATE INDEX outbox_of_subject ON outbox (subject);
