-- Rejects: deliveries that could not be trusted or understood, and why. Keys as in events.

CREATE TABLE IF NOT EXISTS hookwatch.rejects_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    delivery String COMMENT 'Id of the delivery.' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery.' CODEC(Delta, ZSTD(1)),
    endpoint LowCardinality(String) COMMENT 'Endpoint that took it.',
    provider LowCardinality(String) COMMENT 'Provider that was told to call the endpoint.',
    event_name LowCardinality(String) COMMENT 'Event that the endpoint was registered for.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    reason LowCardinality(String) COMMENT 'One of a closed list, for example ''signature mismatch'', ''not JSON'', ''internal''.',
    detail String COMMENT 'What exactly was wrong, for a person; never a secret and never the body.' CODEC(ZSTD(1)),
    INDEX delivery_bloom delivery TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'A delivery that could not be trusted or understood, kept with its reason: every version of every row, tombstones too. People read hookwatch.rejects.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.rejects
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    delivery String COMMENT 'Id of the delivery.',
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery.',
    endpoint LowCardinality(String) COMMENT 'Endpoint that took it.',
    provider LowCardinality(String) COMMENT 'Provider that was told to call the endpoint.',
    event_name LowCardinality(String) COMMENT 'Event that the endpoint was registered for.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    reason LowCardinality(String) COMMENT 'One of a closed list, for example ''signature mismatch'', ''not JSON'', ''internal''.',
    detail String COMMENT 'What exactly was wrong, for a person; never a secret and never the body.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    delivery,
    received_at,
    endpoint,
    provider,
    event_name,
    account,
    reason,
    detail
FROM hookwatch.rejects_rows FINAL
WHERE NOT withdrawn
COMMENT 'A delivery that could not be trusted or understood, kept with its reason: the newest version of each row that was not withdrawn.';
