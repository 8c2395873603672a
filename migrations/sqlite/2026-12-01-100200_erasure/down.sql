DROP INDEX outbox_of_subject;
DROP TRIGGER api_costs_erased;
DROP TRIGGER campaigns_erased;
DROP TRIGGER enhanced_leads_erased;
DROP TRIGGER leads_erased;
DROP TABLE erasures;
