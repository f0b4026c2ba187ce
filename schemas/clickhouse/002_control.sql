-- Control records: settings, judgements, boots, ticks. Keys as in deliveries; few rows, so partitions are months.

CREATE TABLE IF NOT EXISTS hookwatch.control_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    boot LowCardinality(String) COMMENT 'Producer: the random id of one start of one edge.',
    seq UInt64 COMMENT 'Number of the record within its boot and lane, dense from 0.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane; -1 in what an edge writes, for only the log can give one.' CODEC(Delta, ZSTD(1)),
    id String COMMENT 'Formed like a delivery''s id.' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it wrote the record.' CODEC(Delta, ZSTD(1)),
    kind LowCardinality(String) COMMENT 'What the record tells the flow.',
    edge LowCardinality(String) COMMENT 'boot: name of the edge that starts.',
    predecessor String COMMENT 'boot: the edge''s previous boot; settings: id of the settings it replaces; empty for the first.',
    time Nullable(DateTime64(3, 'UTC')) COMMENT 'tick: time has reached this instant at the edge.',
    catching_up Bool COMMENT 'tick: the edge still forwards a backlog, so its time lags behind.',
    document String COMMENT 'settings and others: the payload as JSON; empty for boot and tick.' CODEC(ZSTD(3)),
    idempotency_id String COMMENT 'Given by whoever asked for the control: asking twice writes it once in effect.',
    remark String COMMENT 'What the flow did not do with it and why; empty where it took effect, and in what an edge writes.',
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (tenant, received_at, id)
TTL toDateTime(received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'A record of a lane that is no delivery: every version of every row, tombstones too. People read hookwatch.control.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.control
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    boot LowCardinality(String) COMMENT 'Producer: the random id of one start of one edge.',
    seq UInt64 COMMENT 'Number of the record within its boot and lane, dense from 0.',
    position Int64 COMMENT 'Position in the lane; -1 in what an edge writes, for only the log can give one.',
    id String COMMENT 'Formed like a delivery''s id.',
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it wrote the record.',
    kind LowCardinality(String) COMMENT 'What the record tells the flow.',
    edge LowCardinality(String) COMMENT 'boot: name of the edge that starts.',
    predecessor String COMMENT 'boot: the edge''s previous boot; settings: id of the settings it replaces; empty for the first.',
    time Nullable(DateTime64(3, 'UTC')) COMMENT 'tick: time has reached this instant at the edge.',
    catching_up Bool COMMENT 'tick: the edge still forwards a backlog, so its time lags behind.',
    document String COMMENT 'settings and others: the payload as JSON; empty for boot and tick.',
    idempotency_id String COMMENT 'Given by whoever asked for the control: asking twice writes it once in effect.',
    remark String COMMENT 'What the flow did not do with it and why; empty where it took effect, and in what an edge writes.'
)
AS SELECT
    tenant,
    boot,
    seq,
    position,
    id,
    received_at,
    kind,
    edge,
    predecessor,
    time,
    catching_up,
    document,
    idempotency_id,
    remark
FROM hookwatch.control_rows FINAL
WHERE NOT withdrawn
COMMENT 'A record of a lane that is no delivery: the newest version of each row that was not withdrawn.';
