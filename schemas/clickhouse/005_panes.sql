-- Panes: a value per account, metric and minute, and the rolling value at the minute's end. Absolute: never add up
-- rolling_1h. Keys as in events; `minute` is the events' own time, near first_received_at but not fixed by the id.

CREATE TABLE IF NOT EXISTS hookwatch.panes_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Equals minute: a pane''s id follows from its account, metric and minute, not from a delivery.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    metric LowCardinality(String) COMMENT 'What is counted: servers_created.',
    minute DateTime64(3, 'UTC') COMMENT 'Start of the minute, in the events'' own time.' CODEC(Delta, ZSTD(1)),
    value UInt64 COMMENT 'Value within the minute: for servers_created, distinct servers.',
    rolling_1h UInt64 COMMENT 'Value over the hour that ends with the minute: for servers_created, distinct servers.',
    INDEX minute_range minute TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'An absolute value for an account, a metric and a minute, and the rolling value at the end of that minute: every version of every row, tombstones too. People read hookwatch.panes.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.panes
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'Equals minute: a pane''s id follows from its account, metric and minute, not from a delivery.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    metric LowCardinality(String) COMMENT 'What is counted: servers_created.',
    minute DateTime64(3, 'UTC') COMMENT 'Start of the minute, in the events'' own time.',
    value UInt64 COMMENT 'Value within the minute: for servers_created, distinct servers.',
    rolling_1h UInt64 COMMENT 'Value over the hour that ends with the minute: for servers_created, distinct servers.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    metric,
    minute,
    value,
    rolling_1h
FROM hookwatch.panes_rows FINAL
WHERE NOT withdrawn
COMMENT 'An absolute value for an account, a metric and a minute, and the rolling value at the end of that minute: the newest version of each row that was not withdrawn.';
