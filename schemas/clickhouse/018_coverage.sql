-- Coverage: what silence means. Keys as in events. What began long ago may still hold, and there are few: no TTL.

CREATE TABLE IF NOT EXISTS hookwatch.coverage_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Provider that it is about.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    state LowCardinality(String) DEFAULT 'unknown' COMMENT 'good: whatever happened was told; degraded: some was lost; blind: nothing could have come; unknown: nothing measures it.',
    reasons Array(LowCardinality(String)) COMMENT 'Why, each from a closed list in the flow, sorted.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it became so.' CODEC(Delta, ZSTD(1)),
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it became otherwise; null while it is so.',
    INDEX account_set account TYPE set(64) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'How far absence of events means that nothing happened, for a provider and account, from when until when: every version of every row, tombstones too. People read hookwatch.coverage.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.coverage
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    provider LowCardinality(String) COMMENT 'Provider that it is about.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    state LowCardinality(String) COMMENT 'good: whatever happened was told; degraded: some was lost; blind: nothing could have come; unknown: nothing measures it.',
    reasons Array(LowCardinality(String)) COMMENT 'Why, each from a closed list in the flow, sorted.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it became so.',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it became otherwise; null while it is so.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    provider,
    account,
    state,
    reasons,
    started_at,
    ended_at
FROM hookwatch.coverage_rows FINAL
WHERE NOT withdrawn
COMMENT 'How far absence of events means that nothing happened, for a provider and account, from when until when: the newest version of each row that was not withdrawn.';
