-- Detections: what the rules found, with the ids of their evidence. Keys as in events.

CREATE TABLE IF NOT EXISTS hookwatch.detections_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    rule LowCardinality(String) COMMENT 'Id of the rule: account-created-then-servers.',
    title String COMMENT 'What was found, in a sentence for a person.' CODEC(ZSTD(1)),
    severity LowCardinality(String) COMMENT 'How urgent it is.',
    started_at DateTime64(3, 'UTC') COMMENT 'Time of the first event behind it.' CODEC(Delta, ZSTD(1)),
    fired_at DateTime64(3, 'UTC') COMMENT 'Time of the event that crossed the threshold.' CODEC(Delta, ZSTD(1)),
    threshold UInt64 COMMENT 'Count at which the rule fires, as it was set when it fired.',
    window_ms UInt64 COMMENT 'Length of the window in milliseconds, as it was set when it fired.',
    count UInt64 COMMENT 'Count reached so far: distinct servers.',
    subjects Array(String) COMMENT 'What was counted: server names, in the order in which they counted.' CODEC(ZSTD(1)),
    events Array(String) COMMENT 'Ids of the events behind it, in the order in which they counted.' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'What a rule found, with its evidence: every version of every row, tombstones too. People read hookwatch.detections.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.detections
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    rule LowCardinality(String) COMMENT 'Id of the rule: account-created-then-servers.',
    title String COMMENT 'What was found, in a sentence for a person.',
    severity LowCardinality(String) COMMENT 'How urgent it is.',
    started_at DateTime64(3, 'UTC') COMMENT 'Time of the first event behind it.',
    fired_at DateTime64(3, 'UTC') COMMENT 'Time of the event that crossed the threshold.',
    threshold UInt64 COMMENT 'Count at which the rule fires, as it was set when it fired.',
    window_ms UInt64 COMMENT 'Length of the window in milliseconds, as it was set when it fired.',
    count UInt64 COMMENT 'Count reached so far: distinct servers.',
    subjects Array(String) COMMENT 'What was counted: server names, in the order in which they counted.',
    events Array(String) COMMENT 'Ids of the events behind it, in the order in which they counted.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    rule,
    title,
    severity,
    started_at,
    fired_at,
    threshold,
    window_ms,
    count,
    subjects,
    events
FROM hookwatch.detections_rows FINAL
WHERE NOT withdrawn
COMMENT 'What a rule found, with its evidence: the newest version of each row that was not withdrawn.';
