-- Programs with an older SQLite (3.40, say) write prospects as well: for them `json_valid(NULL)` is 0, which refused every lead that
-- was not enriched yet.
ALTER TABLE enhanced_leads ADD COLUMN known TEXT CHECK (known IS NULL OR json_valid(known));
UPDATE enhanced_leads SET known = enrichment_data WHERE enrichment_data IS NOT NULL;
ALTER TABLE enhanced_leads DROP COLUMN enrichment_data;
ALTER TABLE enhanced_leads RENAME COLUMN known TO enrichment_data;

-- The clock of SQLite counts milliseconds: what happens to a campaign within one would stand in the log in any order.
CREATE TRIGGER campaign_lifecycle_in_order AFTER INSERT ON campaign_lifecycle_log
WHEN NEW.triggered_by = 'database_trigger'
 AND EXISTS (SELECT 1 FROM campaign_lifecycle_log l
              WHERE l.campaign_id = NEW.campaign_id AND l.created_at >= NEW.created_at AND l.id <> NEW.id)
BEGIN
    UPDATE campaign_lifecycle_log
       SET created_at = (SELECT max(l.created_at) + 1 FROM campaign_lifecycle_log l
                          WHERE l.campaign_id = NEW.campaign_id AND l.id <> NEW.id)
     WHERE id = NEW.id;
END;
