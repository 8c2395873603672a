-- when somebody first read the lead on a dashboard; null until then
ALTER TABLE leads ADD COLUMN first_seen_at INTEGER;
