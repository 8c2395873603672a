ALTER TABLE sources DROP COLUMN api_url;
