DROP VIEW cost_monitoring_summary;
DROP TABLE cost_alert_history;
DROP TRIGGER accounts_default_cost_thresholds;
DROP TABLE cost_alert_thresholds;
DROP TABLE cost_hours_until;
DROP TABLE cost_hours;
DROP TRIGGER api_costs_change_unevaluated;
DROP INDEX api_costs_unevaluated;
ALTER TABLE api_costs DROP COLUMN evaluated_at;
