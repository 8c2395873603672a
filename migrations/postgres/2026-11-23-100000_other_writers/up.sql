-- Programs other than the hub write with a role that may write those tables and nothing else: what triggers do in their wake is
-- the hub's business and done with its rights. Nobody may hang them on tables of his own, and no temporary table goes before the
-- hub's.
DO $$
DECLARE
    fn TEXT;
BEGIN
    FOREACH fn IN ARRAY ARRAY['outbox_new_leads', 'outbox_new_messages', 'outbox_new_prospect', 'outbox_prospect_status',
                              'outbox_costs', 'note_campaign', 'note_progress', 'begin_enrichments'] LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY DEFINER SET search_path = %I, pg_temp', fn, current_schema());
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I() FROM PUBLIC', fn);
    END LOOP;
END $$;
