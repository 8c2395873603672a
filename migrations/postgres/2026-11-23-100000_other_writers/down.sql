DO $$
DECLARE
    fn TEXT;
BEGIN
    FOREACH fn IN ARRAY ARRAY['outbox_new_leads', 'outbox_new_messages', 'outbox_new_prospect', 'outbox_prospect_status',
                              'outbox_costs', 'note_campaign', 'note_progress', 'begin_enrichments'] LOOP
        EXECUTE format('ALTER FUNCTION %I() SECURITY INVOKER SET search_path FROM CURRENT', fn);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I() TO PUBLIC', fn);
    END LOOP;
END $$;
