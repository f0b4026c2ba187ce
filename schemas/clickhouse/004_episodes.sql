-- Episodes: an alert's life. Keys as in events: an episode that closes is a higher version in the same place.

CREATE TABLE IF NOT EXISTS hookwatch.episodes_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    server String COMMENT 'Server name as the provider spells it.',
    metric LowCardinality(String) COMMENT 'cpu, memory, disk or what the provider named.',
    state LowCardinality(String) COMMENT 'Whether the alert is still on.',
    opened_at DateTime64(3, 'UTC') COMMENT 'stateStartTime of the alert, else when its opening was received.' CODEC(Delta, ZSTD(1)),
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'stateEndTime of the alert, else when its closing was received; null while open.',
    length_ms Nullable(Int64) COMMENT 'closed_at - opened_at in milliseconds; null while open. Never the policy''s duration.',
    ended_by LowCardinality(String) COMMENT 'What closed it: alert, or next_opening where its own closing never came; empty while open.',
    policy_duration String COMMENT 'duration of the policy''s trigger as the provider wrote it, hh:mm:ss.',
    events Array(String) COMMENT 'Ids of the events behind it, in the order in which they counted.' CODEC(ZSTD(1)),
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'An alert''s life on one server and metric: every version of every row, tombstones too. People read hookwatch.episodes.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.episodes
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    server String COMMENT 'Server name as the provider spells it.',
    metric LowCardinality(String) COMMENT 'cpu, memory, disk or what the provider named.',
    state LowCardinality(String) COMMENT 'Whether the alert is still on.',
    opened_at DateTime64(3, 'UTC') COMMENT 'stateStartTime of the alert, else when its opening was received.',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'stateEndTime of the alert, else when its closing was received; null while open.',
    length_ms Nullable(Int64) COMMENT 'closed_at - opened_at in milliseconds; null while open. Never the policy''s duration.',
    ended_by LowCardinality(String) COMMENT 'What closed it: alert, or next_opening where its own closing never came; empty while open.',
    policy_duration String COMMENT 'duration of the policy''s trigger as the provider wrote it, hh:mm:ss.',
    events Array(String) COMMENT 'Ids of the events behind it, in the order in which they counted.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    server,
    metric,
    state,
    opened_at,
    closed_at,
    length_ms,
    ended_by,
    policy_duration,
    events,
    flags
FROM hookwatch.episodes_rows FINAL
WHERE NOT withdrawn
COMMENT 'An alert''s life on one server and metric: the newest version of each row that was not withdrawn.';
