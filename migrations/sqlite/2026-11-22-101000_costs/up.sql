-- What an account's costs are held against, and the alerts that come of it. Times are microseconds since 1970. Sums are made
-- of ten-thousandths, which add up exactly.

-- When thresholds were last held against the cost; none: not yet, or it was changed since. So nothing is missed that is
-- committed late, and whoever writes costs need not know of it.
ALTER TABLE api_costs ADD COLUMN evaluated_at INTEGER;
CREATE INDEX api_costs_unevaluated ON api_costs (account_id, agency_id) WHERE evaluated_at IS NULL;

CREATE TRIGGER api_costs_change_unevaluated AFTER UPDATE ON api_costs
WHEN NEW.evaluated_at IS NOT NULL
 AND (NEW.agency_id IS NOT OLD.agency_id OR NEW.account_id IS NOT OLD.account_id OR NEW.api_service IS NOT OLD.api_service
      OR NEW.cost IS NOT OLD.cost OR NEW.campaign_id IS NOT OLD.campaign_id OR NEW.lead_id IS NOT OLD.lead_id
      OR NEW.created_at IS NOT OLD.created_at)
BEGIN
    UPDATE api_costs SET evaluated_at = NULL WHERE id = NEW.id;
END;

-- What hours that are over have cost: so that nobody reads a week of costs to hold one against it. Written by the evaluation
-- alone. A cost that comes late or changes has its hour summed again; one that is deleted was paid all the same.
CREATE TABLE cost_hours (
    agency_id   TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    -- since 1970
    hour        INTEGER NOT NULL,
    api_service TEXT NOT NULL,
    -- in ten-thousandths
    cost        INTEGER NOT NULL,
    PRIMARY KEY (account_id, agency_id, hour, api_service),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;

-- Hours before this one are in it. Whoever evaluates an account holds its row.
CREATE TABLE cost_hours_until (
    account_id TEXT NOT NULL,
    agency_id  TEXT NOT NULL,
    hour       INTEGER NOT NULL,
    PRIMARY KEY (account_id, agency_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;

CREATE TABLE cost_alert_thresholds (
    id                      TEXT PRIMARY KEY DEFAULT ('thr_0' || substr(hex(randomblob(13)), 1, 25)),
    agency_id               TEXT NOT NULL,
    account_id              TEXT NOT NULL,
    threshold_name          TEXT NOT NULL,
    -- daily_spend, cost_per_lead, rate_limit, anomaly; another never alerts
    threshold_type          TEXT NOT NULL,
    threshold_value         REAL NOT NULL,
    comparison_operator     TEXT NOT NULL DEFAULT '>' CHECK (comparison_operator IN ('>', '>=', '<', '<=', '=')),
    is_active               INTEGER NOT NULL DEFAULT 1,
    -- quiet time after an alert
    alert_frequency_minutes INTEGER NOT NULL DEFAULT 60 CHECK (alert_frequency_minutes >= 0),
    -- it was passed during its quiet time, which ends then
    look_again_at           INTEGER,
    created_at              INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    updated_at              INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    UNIQUE (account_id, agency_id, threshold_name),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX cost_alert_thresholds_again ON cost_alert_thresholds (look_again_at) WHERE look_again_at IS NOT NULL;

-- Every account has these to begin with.
CREATE TRIGGER accounts_default_cost_thresholds AFTER INSERT ON accounts
BEGIN
    INSERT INTO cost_alert_thresholds (agency_id, account_id, threshold_name, threshold_type, threshold_value,
                                       comparison_operator)
    VALUES (NEW.agency_id, NEW.id, 'daily_spend_limit', 'daily_spend', 50, '>'),
           (NEW.agency_id, NEW.id, 'cost_per_lead_limit', 'cost_per_lead', 0.25, '>'),
           (NEW.agency_id, NEW.id, 'rate_limit_warning', 'rate_limit', 80, '>='),
           (NEW.agency_id, NEW.id, 'anomaly_spike', 'anomaly', 3, '>');
END;

INSERT INTO cost_alert_thresholds (agency_id, account_id, threshold_name, threshold_type, threshold_value,
                                   comparison_operator)
SELECT a.agency_id, a.id, d.column1, d.column2, d.column3, d.column4
  FROM accounts a,
       (VALUES ('daily_spend_limit', 'daily_spend', 50, '>'),
               ('cost_per_lead_limit', 'cost_per_lead', 0.25, '>'),
               ('rate_limit_warning', 'rate_limit', 80, '>='),
               ('anomaly_spike', 'anomaly', 3, '>')) AS d;

CREATE TABLE cost_alert_history (
    id              TEXT PRIMARY KEY,
    agency_id       TEXT NOT NULL,
    account_id      TEXT NOT NULL,
    threshold_id    TEXT REFERENCES cost_alert_thresholds (id) ON DELETE SET NULL,
    -- these three as they were then
    threshold_name  TEXT NOT NULL,
    threshold_type  TEXT NOT NULL,
    threshold_value REAL NOT NULL,
    alert_value     REAL NOT NULL,
    severity        TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    api_service     TEXT,
    -- no foreign key: what a campaign has cost it has cost, also when it is gone
    campaign_id     TEXT,
    -- daily, hourly, real_time
    time_period     TEXT NOT NULL,
    -- the whole payload
    alert_data      TEXT NOT NULL CHECK (json_valid(alert_data)),
    -- counts the threshold's alerts: of two hubs that raise the same one, one is refused
    window_number   INTEGER,
    created_at      INTEGER NOT NULL,
    -- dashboards know
    announced_at    INTEGER,
    -- the same, for programs that ask as they asked the system that agencies switch over from
    webhook_sent    INTEGER GENERATED ALWAYS AS (announced_at IS NOT NULL) STORED,
    -- a person has dealt with it
    resolved_at     INTEGER,
    resolution_note TEXT,
    resolved_by     TEXT,
    UNIQUE (threshold_id, window_number),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX cost_alert_history_newest ON cost_alert_history (account_id, agency_id, id DESC);
CREATE INDEX cost_alert_history_active ON cost_alert_history (account_id, agency_id, id DESC) WHERE resolved_at IS NULL;
CREATE INDEX cost_alert_history_unannounced ON cost_alert_history (id) WHERE announced_at IS NULL;

-- Days begin at midnight, UTC. What was paid for no lead, or no campaign, in particular is in neither of the two averages.
CREATE VIEW cost_monitoring_summary AS
SELECT s.agency_id,
       s.account_id,
       s.today / 10000.0 AS daily_spend,
       s.hour / 10000.0 AS hourly_spend,
       s.for_leads / 10000.0 AS lead_spend_24h,
       s.leads AS leads_24h,
       CASE WHEN s.leads > 0 THEN round(s.for_leads / 10000.0 / s.leads, 4) END AS cost_per_lead_24h,
       s.for_campaigns / 10000.0 AS campaign_spend_24h,
       s.campaigns AS campaigns_24h,
       CASE WHEN s.campaigns > 0 THEN round(s.for_campaigns / 10000.0 / s.campaigns, 4) END AS cost_per_campaign_24h,
       (SELECT count(*) FROM cost_alert_history h
         WHERE h.account_id = s.account_id AND h.agency_id = s.agency_id AND h.resolved_at IS NULL) AS active_alerts_count,
       (SELECT json_group_object(t.api_service, t.cost / 10000.0)
          FROM (SELECT c.api_service, sum(CAST(round(c.cost * 10000) AS INTEGER)) AS cost FROM api_costs c
                 WHERE c.account_id = s.account_id AND c.agency_id = s.agency_id
                   AND c.created_at >= CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000000
                 GROUP BY c.api_service ORDER BY 2 DESC LIMIT 5) t) AS top_spending_services_today
  FROM (SELECT a.agency_id,
               a.id AS account_id,
               coalesce(sum(CAST(round(c.cost * 10000) AS INTEGER)) FILTER (
                   WHERE c.created_at >= CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000000), 0) AS today,
               coalesce(sum(CAST(round(c.cost * 10000) AS INTEGER)) FILTER (
                   WHERE c.created_at >= (CAST(strftime('%s', 'now') AS INTEGER) - 3600) * 1000000), 0) AS hour,
               coalesce(sum(CAST(round(c.cost * 10000) AS INTEGER)) FILTER (WHERE c.lead_id IS NOT NULL), 0) AS for_leads,
               count(DISTINCT c.lead_id) AS leads,
               coalesce(sum(CAST(round(c.cost * 10000) AS INTEGER)) FILTER (WHERE c.campaign_id IS NOT NULL), 0)
                   AS for_campaigns,
               count(DISTINCT c.campaign_id) AS campaigns
          FROM accounts a
          LEFT JOIN api_costs c ON c.account_id = a.id AND c.agency_id = a.agency_id
                               AND c.created_at >= (CAST(strftime('%s', 'now') AS INTEGER) - 86400) * 1000000
         GROUP BY a.id, a.agency_id) s;
