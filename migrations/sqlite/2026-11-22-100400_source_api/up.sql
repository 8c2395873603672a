-- where the platform's API is for this source, for platforms that say so per customer (Unipile); null: it only receives
ALTER TABLE sources ADD COLUMN api_url TEXT;
