-- What an account's costs are held against, and the alerts that come of it.

-- When thresholds were last held against the cost; none: not yet, or it was changed since. So nothing is missed that is
-- committed late, and whoever writes costs need not know of it.
ALTER TABLE api_costs ADD COLUMN evaluated_at TIMESTAMPTZ;
CREATE INDEX api_costs_unevaluated ON api_costs (account_id, agency_id) WHERE evaluated_at IS NULL;

CREATE FUNCTION cost_unevaluated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.evaluated_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER api_costs_change_unevaluated BEFORE UPDATE ON api_costs FOR EACH ROW
    WHEN ((NEW.agency_id, NEW.account_id, NEW.api_service, NEW.cost, NEW.campaign_id, NEW.lead_id, NEW.created_at)
          IS DISTINCT FROM
          (OLD.agency_id, OLD.account_id, OLD.api_service, OLD.cost, OLD.campaign_id, OLD.lead_id, OLD.created_at))
    EXECUTE FUNCTION cost_unevaluated();

-- As it was, but what the hub notes of a cost is no change of it.
DROP TRIGGER api_costs_change_to_outbox ON api_costs;
CREATE TRIGGER api_costs_change_to_outbox AFTER UPDATE ON api_costs FOR EACH ROW
    WHEN ((NEW.agency_id, NEW.account_id, NEW.api_service, NEW.cost, NEW.campaign_id, NEW.lead_id, NEW.created_at)
          IS DISTINCT FROM
          (OLD.agency_id, OLD.account_id, OLD.api_service, OLD.cost, OLD.campaign_id, OLD.lead_id, OLD.created_at))
    EXECUTE FUNCTION outbox_costs();

-- What hours that are over have cost: so that nobody reads a week of costs to hold one against it. Written by the evaluation
-- alone. A cost that comes late or changes has its hour summed again; one that is deleted was paid all the same.
CREATE TABLE cost_hours (
    agency_id   TEXT COLLATE "C" NOT NULL,
    account_id  TEXT COLLATE "C" NOT NULL,
    -- since 1970
    hour        BIGINT NOT NULL,
    api_service TEXT NOT NULL,
    -- in ten-thousandths
    cost        BIGINT NOT NULL,
    PRIMARY KEY (account_id, agency_id, hour, api_service),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);

-- Hours before this one are in it. Whoever evaluates an account holds its row.
CREATE TABLE cost_hours_until (
    account_id TEXT COLLATE "C" NOT NULL,
    agency_id  TEXT COLLATE "C" NOT NULL,
    hour       BIGINT NOT NULL,
    PRIMARY KEY (account_id, agency_id),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);

CREATE TABLE cost_alert_thresholds (
    id                      TEXT COLLATE "C" PRIMARY KEY DEFAULT new_id('thr_'),
    agency_id               TEXT COLLATE "C" NOT NULL,
    account_id              TEXT COLLATE "C" NOT NULL,
    threshold_name          TEXT NOT NULL,
    -- daily_spend, cost_per_lead, rate_limit, anomaly; another never alerts
    threshold_type          TEXT NOT NULL,
    threshold_value         NUMERIC(12,4) NOT NULL,
    comparison_operator     TEXT NOT NULL DEFAULT '>' CHECK (comparison_operator IN ('>', '>=', '<', '<=', '=')),
    is_active               BOOLEAN NOT NULL DEFAULT true,
    -- quiet time after an alert
    alert_frequency_minutes INTEGER NOT NULL DEFAULT 60 CHECK (alert_frequency_minutes >= 0),
    -- it was passed during its quiet time, which ends then
    look_again_at           TIMESTAMPTZ,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (account_id, agency_id, threshold_name),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX cost_alert_thresholds_again ON cost_alert_thresholds (look_again_at) WHERE look_again_at IS NOT NULL;

-- Every account has these to begin with.
CREATE FUNCTION default_cost_thresholds() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO cost_alert_thresholds (agency_id, account_id, threshold_name, threshold_type, threshold_value,
                                       comparison_operator)
    VALUES (NEW.agency_id, NEW.id, 'daily_spend_limit', 'daily_spend', 50, '>'),
           (NEW.agency_id, NEW.id, 'cost_per_lead_limit', 'cost_per_lead', 0.25, '>'),
           (NEW.agency_id, NEW.id, 'rate_limit_warning', 'rate_limit', 80, '>='),
           (NEW.agency_id, NEW.id, 'anomaly_spike', 'anomaly', 3, '>');
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_default_cost_thresholds AFTER INSERT ON accounts
    FOR EACH ROW EXECUTE FUNCTION default_cost_thresholds();

INSERT INTO cost_alert_thresholds (agency_id, account_id, threshold_name, threshold_type, threshold_value,
                                   comparison_operator)
SELECT a.agency_id, a.id, d.name, d.type, d.value, d.operator
  FROM accounts a,
       (VALUES ('daily_spend_limit', 'daily_spend', 50, '>'),
               ('cost_per_lead_limit', 'cost_per_lead', 0.25, '>'),
               ('rate_limit_warning', 'rate_limit', 80, '>='),
               ('anomaly_spike', 'anomaly', 3, '>')) AS d (name, type, value, operator);

CREATE TABLE cost_alert_history (
    id              TEXT COLLATE "C" PRIMARY KEY,
    agency_id       TEXT COLLATE "C" NOT NULL,
    account_id      TEXT COLLATE "C" NOT NULL,
    threshold_id    TEXT COLLATE "C" REFERENCES cost_alert_thresholds (id) ON DELETE SET NULL,
    -- these three as they were then
    threshold_name  TEXT NOT NULL,
    threshold_type  TEXT NOT NULL,
    threshold_value NUMERIC(18,4) NOT NULL,
    alert_value     NUMERIC(18,4) NOT NULL,
    severity        TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    api_service     TEXT,
    -- no foreign key: what a campaign has cost it has cost, also when it is gone
    campaign_id     TEXT COLLATE "C",
    -- daily, hourly, real_time
    time_period     TEXT NOT NULL,
    -- the whole payload
    alert_data      JSONB NOT NULL,
    -- counts the threshold's alerts: of two hubs that raise the same one, one is refused
    window_number   BIGINT,
    created_at      TIMESTAMPTZ NOT NULL,
    -- dashboards know
    announced_at    TIMESTAMPTZ,
    -- the same, for programs that ask as they asked the system that agencies switch over from
    webhook_sent    BOOLEAN GENERATED ALWAYS AS (announced_at IS NOT NULL) STORED,
    -- a person has dealt with it
    resolved_at     TIMESTAMPTZ,
    resolution_note TEXT,
    resolved_by     TEXT COLLATE "C",
    UNIQUE (threshold_id, window_number),
    FOREIGN KEY (account_id, agency_id) REFERENCES accounts (id, agency_id) ON DELETE CASCADE
);
CREATE INDEX cost_alert_history_newest ON cost_alert_history (account_id, agency_id, id DESC);
CREATE INDEX cost_alert_history_active ON cost_alert_history (account_id, agency_id, id DESC) WHERE resolved_at IS NULL;
CREATE INDEX cost_alert_history_unannounced ON cost_alert_history (id) WHERE announced_at IS NULL;

-- Days begin at midnight, UTC. What was paid for no lead, or no campaign, in particular is in neither of the two averages.
CREATE VIEW cost_monitoring_summary AS
SELECT a.agency_id,
       a.id AS account_id,
       coalesce(sum(c.cost) FILTER (WHERE c.created_at >= date_trunc('day', now(), 'UTC')), 0) AS daily_spend,
       coalesce(sum(c.cost) FILTER (WHERE c.created_at >= now() - interval '1 hour'), 0) AS hourly_spend,
       coalesce(sum(c.cost) FILTER (WHERE c.lead_id IS NOT NULL), 0) AS lead_spend_24h,
       count(DISTINCT c.lead_id) AS leads_24h,
       round(sum(c.cost) FILTER (WHERE c.lead_id IS NOT NULL) / nullif(count(DISTINCT c.lead_id), 0), 4)
           AS cost_per_lead_24h,
       coalesce(sum(c.cost) FILTER (WHERE c.campaign_id IS NOT NULL), 0) AS campaign_spend_24h,
       count(DISTINCT c.campaign_id) AS campaigns_24h,
       round(sum(c.cost) FILTER (WHERE c.campaign_id IS NOT NULL) / nullif(count(DISTINCT c.campaign_id), 0), 4)
           AS cost_per_campaign_24h,
       (SELECT count(*) FROM cost_alert_history h
         WHERE h.account_id = a.id AND h.agency_id = a.agency_id AND h.resolved_at IS NULL) AS active_alerts_count,
       (SELECT coalesce(jsonb_object_agg(s.api_service, s.cost), '{}')
          FROM (SELECT t.api_service, sum(t.cost) AS cost FROM api_costs t
                 WHERE t.account_id = a.id AND t.agency_id = a.agency_id
                   AND t.created_at >= date_trunc('day', now(), 'UTC')
                 GROUP BY t.api_service ORDER BY 2 DESC LIMIT 5) s) AS top_spending_services_today
  FROM accounts a
  LEFT JOIN api_costs c ON c.account_id = a.id AND c.agency_id = a.agency_id
                       AND c.created_at >= now() - interval '24 hours'
 GROUP BY a.id, a.agency_id;
