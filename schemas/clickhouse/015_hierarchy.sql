-- The hierarchy of accounts over time. Keys as in events. A relation may hold for longer than any age of rows, and there
-- are few: no TTL.

CREATE TABLE IF NOT EXISTS hookwatch.hierarchy_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account.',
    valid_from DateTime64(3, 'UTC') COMMENT 'Time of the event that said so first.' CODEC(Delta, ZSTD(1)),
    valid_to Nullable(DateTime64(3, 'UTC')) COMMENT 'When the account got another parent or was deleted; null while it holds.',
    event String COMMENT 'Id of the event that said so first; empty where settings did.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'From when until when an account was directly below another one: every version of every row, tombstones too. People read hookwatch.hierarchy.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.hierarchy
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account.',
    valid_from DateTime64(3, 'UTC') COMMENT 'Time of the event that said so first.',
    valid_to Nullable(DateTime64(3, 'UTC')) COMMENT 'When the account got another parent or was deleted; null while it holds.',
    event String COMMENT 'Id of the event that said so first; empty where settings did.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    parent_account,
    valid_from,
    valid_to,
    event
FROM hookwatch.hierarchy_rows FINAL
WHERE NOT withdrawn
COMMENT 'From when until when an account was directly below another one: the newest version of each row that was not withdrawn.';
