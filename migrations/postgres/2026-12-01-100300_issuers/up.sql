-- One issuer may serve several agencies: the audience of a token tells them apart.
ALTER TABLE issuers
    DROP CONSTRAINT issuers_iss_key,
    -- e-mail addresses count that a token does not call verified
    ADD COLUMN trust_email BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX issuers_by_iss ON issuers (iss, COALESCE(audience, ''));
