-- What covers some accounts of its agency would get all of them: it is disabled.
UPDATE endpoints e SET enabled = FALSE
 WHERE e.account_id IS NULL
   AND EXISTS (SELECT 1 FROM accounts a WHERE a.agency_id = e.agency_id
                  AND NOT EXISTS (SELECT 1 FROM endpoint_accounts c
                                   WHERE c.endpoint_id = e.id AND c.account_id = a.id
                                     AND c.left_at IS NULL AND c.stopped_at IS NULL));
UPDATE endpoints e SET enabled = FALSE
 WHERE EXISTS (SELECT 1 FROM endpoint_accounts c
                WHERE c.endpoint_id = e.id AND c.account_id = e.account_id
                  AND (c.left_at IS NOT NULL OR c.stopped_at IS NOT NULL));
DELETE FROM subscriptions;
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_of_account;
ALTER TABLE subscriptions DROP CONSTRAINT subscriptions_pkey;
ALTER TABLE subscriptions ALTER COLUMN account_id DROP NOT NULL;
ALTER TABLE subscriptions ADD PRIMARY KEY (endpoint_id, type);
INSERT INTO subscriptions (endpoint_id, type, agency_id, account_id)
SELECT DISTINCT e.id, t.type, e.agency_id, e.account_id
  FROM endpoints e, jsonb_array_elements_text(e.types) AS t (type) WHERE e.enabled;
DO $$
DECLARE
    fn OID;
BEGIN
    FOR fn IN SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = current_schema() AND p.prosrc LIKE '%FROM%subscriptions s%s.account_id = %' LOOP
        EXECUTE regexp_replace(pg_get_functiondef(fn), 's\.account_id = (\w+\.account_id)',
                               '(s.account_id IS NULL OR s.account_id = \1)', 'g');
    END LOOP;
END $$;
ALTER TABLE api_keys DROP COLUMN left_at;
ALTER TABLE api_keys DROP COLUMN responsible;
ALTER TABLE endpoints DROP COLUMN changed_by;
ALTER TABLE endpoints DROP COLUMN created_by;
DROP TABLE endpoint_accounts;
