DROP INDEX outbox_of_subject;
DROP TRIGGER api_costs_erased ON api_costs;
DROP TRIGGER campaigns_erased ON campaigns;
DROP TRIGGER enhanced_leads_erased ON enhanced_leads;
DROP TRIGGER leads_erased ON leads;
DROP FUNCTION pass_over_erased();
DROP TABLE erasures;
