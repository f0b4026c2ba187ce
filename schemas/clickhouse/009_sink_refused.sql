-- Outputs that ClickHouse refused as rows. They are few: no partitions. The reader asks by tenant.

CREATE TABLE IF NOT EXISTS hookwatch.sink_refused_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'SHA-256 of table and frame in lower-case hex: the same row refused again is the same refusal.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Always 1: a refusal does not change.',
    withdrawn Bool COMMENT 'Always false.',
    refused_at DateTime64(3, 'UTC') COMMENT 'The sink''s clock when it was refused.' CODEC(Delta, ZSTD(1)),
    table LowCardinality(String) COMMENT 'The table that would have taken it, for example events.',
    row String COMMENT 'Id of the refused row; empty where its frame cannot be read.' CODEC(ZSTD(1)),
    reason String COMMENT 'What ClickHouse said, or why the frame cannot be read.' CODEC(ZSTD(1)),
    frame String COMMENT 'The whole output, framed.' CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, id)
TTL toDateTime(refused_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'An output that ClickHouse refused as a row: every version of every row, tombstones too. People read hookwatch.sink_refused.';

-- For people.
CREATE OR REPLACE VIEW hookwatch.sink_refused
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'SHA-256 of table and frame in lower-case hex: the same row refused again is the same refusal.',
    refused_at DateTime64(3, 'UTC') COMMENT 'The sink''s clock when it was refused.',
    table LowCardinality(String) COMMENT 'The table that would have taken it, for example events.',
    row String COMMENT 'Id of the refused row; empty where its frame cannot be read.',
    reason String COMMENT 'What ClickHouse said, or why the frame cannot be read.',
    frame String COMMENT 'The whole output, framed.'
)
AS SELECT
    tenant,
    id,
    refused_at,
    table,
    row,
    reason,
    frame
FROM hookwatch.sink_refused_rows FINAL
WHERE NOT withdrawn
COMMENT 'An output that ClickHouse refused as a row, kept with its reason.';
