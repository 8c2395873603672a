DROP TRIGGER campaign_lifecycle_in_order;
ALTER TABLE enhanced_leads ADD COLUMN known TEXT CHECK (json_valid(known));
UPDATE enhanced_leads SET known = enrichment_data WHERE enrichment_data IS NOT NULL;
ALTER TABLE enhanced_leads DROP COLUMN enrichment_data;
ALTER TABLE enhanced_leads RENAME COLUMN known TO enrichment_data;
