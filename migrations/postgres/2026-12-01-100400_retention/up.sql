-- What is past its time is looked for every few minutes: it must not cost a look at every row.
CREATE INDEX IF NOT EXISTS api_costs_oldest ON api_costs (created_at);
CREATE INDEX IF NOT EXISTS campaign_lifecycle_log_oldest ON campaign_lifecycle_log (created_at);
CREATE INDEX IF NOT EXISTS campaign_exports_oldest ON campaign_exports (made_at);
CREATE INDEX IF NOT EXISTS cost_alert_history_resolved ON cost_alert_history (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_oldest ON outbox (created_at);
