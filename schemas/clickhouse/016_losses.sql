-- Losses: what endpoints were not told of, by the hour. Absolute values per pair of endpoints and hour. Keys as in panes.

CREATE TABLE IF NOT EXISTS hookwatch.losses_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Equals hour: a row''s id follows from its endpoints and hour, not from a delivery.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    hour DateTime64(3, 'UTC') COMMENT 'Start of the hour in which the first of the copies was received.' CODEC(Delta, ZSTD(1)),
    endpoint LowCardinality(String) COMMENT 'Endpoint that is measured.',
    other_endpoint LowCardinality(String) COMMENT 'Endpoint that it is measured by.',
    account LowCardinality(String) COMMENT 'Account that owns the measured endpoint, as provider:account.',
    both UInt64 COMMENT 'Events that came to both endpoints.',
    alone UInt64 COMMENT 'Events that came to the other endpoint only: lost at this one.'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'Events of an hour that two endpoints should both have been told of: how many came to both, and how many to the other one only. A lower bound of what is lost at an endpoint: every version of every row, tombstones too. People read hookwatch.losses.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.losses
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Equals hour: a row''s id follows from its endpoints and hour, not from a delivery.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    hour DateTime64(3, 'UTC') COMMENT 'Start of the hour in which the first of the copies was received.',
    endpoint LowCardinality(String) COMMENT 'Endpoint that is measured.',
    other_endpoint LowCardinality(String) COMMENT 'Endpoint that it is measured by.',
    account LowCardinality(String) COMMENT 'Account that owns the measured endpoint, as provider:account.',
    both UInt64 COMMENT 'Events that came to both endpoints.',
    alone UInt64 COMMENT 'Events that came to the other endpoint only: lost at this one.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    hour,
    endpoint,
    other_endpoint,
    account,
    both,
    alone
FROM hookwatch.losses_rows FINAL
WHERE NOT withdrawn
COMMENT 'Events of an hour that two endpoints should both have been told of: how many came to both, and how many to the other one only. A lower bound of what is lost at an endpoint: the newest version of each row that was not withdrawn.';
