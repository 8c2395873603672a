DROP INDEX IF EXISTS outbox_oldest;
DROP INDEX IF EXISTS cost_alert_history_resolved;
DROP INDEX IF EXISTS campaign_exports_oldest;
DROP INDEX IF EXISTS campaign_lifecycle_log_oldest;
DROP INDEX IF EXISTS api_costs_oldest;
