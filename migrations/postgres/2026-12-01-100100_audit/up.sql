-- What was done that bears on who may do what, and on what left the hub. Rows are added and stay: nothing changes one, and one
-- goes only when its time is over. No foreign keys, on purpose: the record of an agency that was removed outlives it.
CREATE TABLE audit (
    id         TEXT COLLATE "C" PRIMARY KEY,
    at         TIMESTAMPTZ NOT NULL,
    -- none: it concerns nobody's agency, and operators alone read it
    agency_id  TEXT COLLATE "C",
    account_id TEXT COLLATE "C",
    -- operator:name, a user's or a key's id, hub, unknown
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    -- the id of what it was done to
    target     TEXT,
    -- the client's IP address, or cli
    address    TEXT,
    details    JSONB NOT NULL,
    -- fixed when the row is written, so that a setting that is changed later removes nothing early
    kept_until TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_newest ON audit (agency_id, at DESC, id DESC);
CREATE INDEX audit_newest_of_all ON audit (at DESC, id DESC);
CREATE INDEX audit_over ON audit (kept_until);

CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.kept_until <= now() THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'audit is append-only: a row is kept until its time is over';
    END IF;
    RAISE EXCEPTION 'audit is append-only: a row is never changed';
END $$;
CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_kept();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_kept();
