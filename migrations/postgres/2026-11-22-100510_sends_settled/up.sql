-- For echoes that come late.
CREATE INDEX sends_unconfirmed ON sends (updated_at) WHERE reason_code = 'unconfirmed';
-- For forgetting; the condition stands word for word in src/store/queries/sends.rs.
CREATE INDEX sends_settled ON sends (updated_at) WHERE state IN ('sent', 'failed');
