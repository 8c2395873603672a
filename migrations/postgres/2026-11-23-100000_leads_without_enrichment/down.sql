COMMENT ON COLUMN enhanced_leads.enrichment_data IS NULL;
