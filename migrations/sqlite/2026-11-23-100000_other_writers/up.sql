-- Programs with an older SQLite (3.40, say) write prospects as well: for them `json_valid(NULL)` is 0, which refused every lead that
-- was not enriched yet.
ALTER TABLE enhanced_leads ADD COLUMN known TEXT CHECK (known IS NULL OR json_valid(known));
UPDATE enhanced_leads SET known = enrichment_data WHERE enrichment_data IS NOT NULL;
ALTER TABLE enhanced_leads DROP COLUMN enrichment_data;
ALTER TABLE enhanced_leads RENAME COLUMN known TO enrichment_data;
