-- Changes: what differs between snapshots. Keys as in events; `time` is near first_received_at, accounts are few.

CREATE TABLE IF NOT EXISTS hookwatch.changes_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    event String COMMENT 'Id of the event that brought it.' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery that led to this version.' CODEC(Delta, ZSTD(1)),
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the event''s time.' CODEC(Delta, ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Provider whose event it is.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    entity LowCardinality(String) COMMENT 'What has changed: server, account, user, or what the provider names.',
    subject String COMMENT 'Which one, within the account: server name, user name, account alias.',
    actor String COMMENT 'Who did it, by the body''s word; empty where it does not say.',
    kind LowCardinality(String) COMMENT 'What sort of change it is, in snake_case: field, where no other word says more.',
    field LowCardinality(String) COMMENT 'Path of the field in the provider''s body, with dots, for example details.memoryMB.',
    before String COMMENT 'Its value before, as JSON text; empty where it was absent or is not known.' CODEC(ZSTD(3)),
    after String COMMENT 'Its value after, as JSON text; empty where it is absent.' CODEC(ZSTD(3)),
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.',
    INDEX time_range time TYPE minmax GRANULARITY 1,
    INDEX account_set account TYPE set(64) GRANULARITY 1,
    INDEX subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What differs between two successive snapshots of a thing, or what an event itself says has changed: every version of every row, tombstones too. People read hookwatch.changes.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.changes
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    event String COMMENT 'Id of the event that brought it.',
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery that led to this version.',
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the event''s time.',
    provider LowCardinality(String) COMMENT 'Provider whose event it is.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    entity LowCardinality(String) COMMENT 'What has changed: server, account, user, or what the provider names.',
    subject String COMMENT 'Which one, within the account: server name, user name, account alias.',
    actor String COMMENT 'Who did it, by the body''s word; empty where it does not say.',
    kind LowCardinality(String) COMMENT 'What sort of change it is, in snake_case: field, where no other word says more.',
    field LowCardinality(String) COMMENT 'Path of the field in the provider''s body, with dots, for example details.memoryMB.',
    before String COMMENT 'Its value before, as JSON text; empty where it was absent or is not known.',
    after String COMMENT 'Its value after, as JSON text; empty where it is absent.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    event,
    received_at,
    time,
    provider,
    account,
    entity,
    subject,
    actor,
    kind,
    field,
    before,
    after,
    flags
FROM hookwatch.changes_rows FINAL
WHERE NOT withdrawn
COMMENT 'What differs between two successive snapshots of a thing, or what an event itself says has changed: the newest version of each row that was not withdrawn.';
