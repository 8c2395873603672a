-- Only one row of an `iss` fits: the oldest stays.
DELETE FROM issuers WHERE id NOT IN (SELECT min(id) FROM issuers GROUP BY iss);
DROP INDEX issuers_by_iss;
ALTER TABLE issuers
    DROP COLUMN trust_email,
    ADD CONSTRAINT issuers_iss_key UNIQUE (iss);
