ALTER TABLE leads DROP COLUMN first_seen_at;
