DROP INDEX sends_settled;
DROP INDEX sends_unconfirmed;
