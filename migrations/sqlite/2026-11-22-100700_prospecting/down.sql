DROP TABLE api_costs;
DROP TABLE enhanced_leads;
DROP TABLE campaign_lifecycle_log;
DROP TABLE campaign_processing_status;
DROP TABLE campaigns;
