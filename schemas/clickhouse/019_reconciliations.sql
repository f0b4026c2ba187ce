-- Reconciliations: a row per run and account. Keys as in events.

CREATE TABLE IF NOT EXISTS hookwatch.reconciliations_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    run String COMMENT 'Id of the run; its accounts have a row each.' CODEC(ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Provider that was asked.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    started_at DateTime64(3, 'UTC') COMMENT 'When the run began.' CODEC(Delta, ZSTD(1)),
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the account was compared; null while it is not.',
    complete Bool COMMENT 'True where all of the account was walked: only then deletions are claimed.',
    bootstrap Bool COMMENT 'True for the first complete walk: what it meets is seen, not missed.',
    servers_checked UInt64 COMMENT 'Servers that were compared.',
    accounts_checked UInt64 COMMENT 'Accounts that were compared.',
    missed_creations UInt64 COMMENT 'Servers and accounts that no webhook had told of.',
    missed_changes UInt64 COMMENT 'Servers and accounts that had changed with no webhook telling so.',
    missed_deletions UInt64 COMMENT 'Servers and accounts that were gone with no webhook telling so.',
    by_endpoint Map(LowCardinality(String), UInt64) COMMENT 'What was missed by the endpoint that should have been told.'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'A comparison of an account with what the provider''s API says, and what had been missed: every version of every row, tombstones too. People read hookwatch.reconciliations.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.reconciliations
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    run String COMMENT 'Id of the run; its accounts have a row each.',
    provider LowCardinality(String) COMMENT 'Provider that was asked.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    started_at DateTime64(3, 'UTC') COMMENT 'When the run began.',
    completed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the account was compared; null while it is not.',
    complete Bool COMMENT 'True where all of the account was walked: only then deletions are claimed.',
    bootstrap Bool COMMENT 'True for the first complete walk: what it meets is seen, not missed.',
    servers_checked UInt64 COMMENT 'Servers that were compared.',
    accounts_checked UInt64 COMMENT 'Accounts that were compared.',
    missed_creations UInt64 COMMENT 'Servers and accounts that no webhook had told of.',
    missed_changes UInt64 COMMENT 'Servers and accounts that had changed with no webhook telling so.',
    missed_deletions UInt64 COMMENT 'Servers and accounts that were gone with no webhook telling so.',
    by_endpoint Map(LowCardinality(String), UInt64) COMMENT 'What was missed by the endpoint that should have been told.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    run,
    provider,
    account,
    started_at,
    completed_at,
    complete,
    bootstrap,
    servers_checked,
    accounts_checked,
    missed_creations,
    missed_changes,
    missed_deletions,
    by_endpoint
FROM hookwatch.reconciliations_rows FINAL
WHERE NOT withdrawn
COMMENT 'A comparison of an account with what the provider''s API says, and what had been missed: the newest version of each row that was not withdrawn.';
