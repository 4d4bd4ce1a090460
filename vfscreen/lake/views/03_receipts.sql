-- receipts: every shard that landed, by whichever release.
CREATE VIEW receipts AS
SELECT * FROM stored_receipts;
