DROP VIEW cost_monitoring_summary;
DROP TABLE cost_alert_history;
DROP TRIGGER accounts_default_cost_thresholds ON accounts;
DROP FUNCTION default_cost_thresholds();
DROP TABLE cost_alert_thresholds;
DROP TABLE cost_hours_until;
DROP TABLE cost_hours;
DROP TRIGGER api_costs_change_to_outbox ON api_costs;
DROP TRIGGER api_costs_change_unevaluated ON api_costs;
DROP FUNCTION cost_unevaluated();
ALTER TABLE api_costs DROP COLUMN evaluated_at;
CREATE TRIGGER api_costs_change_to_outbox AFTER UPDATE ON api_costs
    FOR EACH ROW WHEN (NEW.* IS DISTINCT FROM OLD.*) EXECUTE FUNCTION outbox_costs();
