-- What SQLite needs here does not concern PostgreSQL: the column takes NULL from everybody.
COMMENT ON COLUMN enhanced_leads.enrichment_data IS 'What enrichment has found; NULL until it has ended.';
