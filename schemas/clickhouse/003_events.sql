-- Events: what the deliveries state.
--
-- ORDER BY (tenant, first_received_at, id): first_received_at is fixed with the id. The event's own `time` is not: a
--   later twin may amend it, and the row would then move away from its older version and stay twice.
-- Time and account are what people filter by: `time` lies within an hour of first_received_at, so its min-max index
--   skips nearly as well as the key would; accounts are few, so a set per granule tells.

CREATE TABLE IF NOT EXISTS hookwatch.events_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    deliveries Array(String) COMMENT 'Ids of the deliveries that state the fact, first to arrive first.' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery that led to this version.' CODEC(Delta, ZSTD(1)),
    provider LowCardinality(String) COMMENT 'Provider whose event it is.',
    source LowCardinality(String) COMMENT 'Endpoint that received it: /<provider>/<endpoint>.',
    type LowCardinality(String) COMMENT '<provider>.<entity>.<action>, for example centurylink.server.created.',
    subject String COMMENT 'What it is about, within the account: server name, user name, account alias.',
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the body''s own time where it can be trusted, else received_at.' CODEC(Delta, ZSTD(1)),
    time_basis LowCardinality(String) COMMENT 'Where time comes from.',
    entity LowCardinality(String) COMMENT 'account, user, server or alert.',
    action LowCardinality(String) COMMENT 'created, updated, deleted or notified.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account; empty where the body does not say.',
    novelty LowCardinality(String) COMMENT 'created: the provider said so and the flow had not met it; seen: first met in something else than a creation.',
    location LowCardinality(String) COMMENT 'Data centre, for example WA1; empty where the body does not say.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.',
    data String COMMENT 'The body as it was received, checked to be one JSON object; numbers stand as they were written.' CODEC(ZSTD(3)),
    INDEX time_range time TYPE minmax GRANULARITY 1,
    INDEX account_set account TYPE set(64) GRANULARITY 1,
    INDEX subject_bloom subject TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX id_bloom id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(first_received_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'The fact that a delivery states, normalised: every version of every row, tombstones too. People read hookwatch.events.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.events
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    deliveries Array(String) COMMENT 'Ids of the deliveries that state the fact, first to arrive first.',
    received_at DateTime64(3, 'UTC') COMMENT 'received_at of the delivery that led to this version.',
    provider LowCardinality(String) COMMENT 'Provider whose event it is.',
    source LowCardinality(String) COMMENT 'Endpoint that received it: /<provider>/<endpoint>.',
    type LowCardinality(String) COMMENT '<provider>.<entity>.<action>, for example centurylink.server.created.',
    subject String COMMENT 'What it is about, within the account: server name, user name, account alias.',
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the body''s own time where it can be trusted, else received_at.',
    time_basis LowCardinality(String) COMMENT 'Where time comes from.',
    entity LowCardinality(String) COMMENT 'account, user, server or alert.',
    action LowCardinality(String) COMMENT 'created, updated, deleted or notified.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account; empty where the body does not say.',
    novelty LowCardinality(String) COMMENT 'created: the provider said so and the flow had not met it; seen: first met in something else than a creation.',
    location LowCardinality(String) COMMENT 'Data centre, for example WA1; empty where the body does not say.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.',
    data String COMMENT 'The body as it was received, checked to be one JSON object; numbers stand as they were written.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    deliveries,
    received_at,
    provider,
    source,
    type,
    subject,
    time,
    time_basis,
    entity,
    action,
    account,
    parent_account,
    novelty,
    location,
    flags,
    data
FROM hookwatch.events_rows FINAL
WHERE NOT withdrawn
COMMENT 'The fact that a delivery states, normalised: the newest version of each row that was not withdrawn.';
