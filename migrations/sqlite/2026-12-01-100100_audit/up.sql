-- What was done that bears on who may do what, and on what left the hub. Rows are added and stay: nothing changes one, and one
-- goes only when its time is over. No foreign keys, on purpose: the record of an agency that was removed outlives it.
CREATE TABLE audit (
    id         TEXT PRIMARY KEY,
    at         INTEGER NOT NULL,
    -- none: it concerns nobody's agency, and operators alone read it
    agency_id  TEXT,
    account_id TEXT,
    -- operator:name, a user's or a key's id, hub, unknown
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    -- the id of what it was done to
    target     TEXT,
    -- the client's IP address, or cli
    address    TEXT,
    details    TEXT NOT NULL CHECK (json_valid(details)),
    -- fixed when the row is written, so that a setting that is changed later removes nothing early
    kept_until INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_newest ON audit (agency_id, at DESC, id DESC);
CREATE INDEX audit_newest_of_all ON audit (at DESC, id DESC);
CREATE INDEX audit_over ON audit (kept_until);

CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'audit is append-only: a row is never changed');
END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    WHEN OLD.kept_until > CAST(strftime('%s', 'now') AS INTEGER) * 1000000
BEGIN
    SELECT raise(ABORT, 'audit is append-only: a row is kept until its time is over');
END;
-- INSERT OR REPLACE would delete without the trigger above.
CREATE TRIGGER audit_unreplaced BEFORE INSERT ON audit
    WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT raise(ABORT, 'audit is append-only: a row is never replaced');
END;
