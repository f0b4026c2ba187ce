-- Deliveries: the evidence. The widest table by far, kept for the shortest time.
--
-- ORDER BY (tenant, received_at, id): one tenant's rows lie together, in the order of time, which is how they are
--   asked for and what a page of the newest needs. All three are fixed when the edge takes the delivery and are part
--   of its id, so every version of a row has the same key: else ReplacingMergeTree would keep two of them.
-- PARTITION BY week: rows leave by the week as whole parts, and a batch of the sink, even one that catches up with
--   months, touches far fewer than the 100 partitions that one INSERT may.
-- An id alone is found by its bloom filter.

CREATE TABLE IF NOT EXISTS hookwatch.deliveries_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    boot LowCardinality(String) COMMENT 'Producer: the random id of one start of one edge.',
    seq UInt64 COMMENT 'Number of the record within its boot and lane, dense from 0.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane; -1 in what an edge writes, for only the log can give one.' CODEC(Delta, ZSTD(1)),
    id String COMMENT 'Given by the edge and answered to the sender: received time in lower-case hex (12 digits), ''-'', boot, ''-'', seq.' CODEC(ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it handed the delivery to its journal; never goes back within one journal.' CODEC(Delta, ZSTD(1)),
    endpoint LowCardinality(String) COMMENT 'Name of the endpoint in hookwatch.yaml; never its token.',
    provider LowCardinality(String) COMMENT 'Provider that was told to call the endpoint: centurylink, citrix, backup.',
    event_name LowCardinality(String) COMMENT 'Event that the endpoint was registered for, for example Server.Created; empty where the URL does not say.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    origin LowCardinality(String) COMMENT 'webhook, or made by a reconciliation.',
    verdict LowCardinality(String) COMMENT 'What verification said.',
    verdict_reason LowCardinality(String) COMMENT 'Why it was rejected, for example ''signature mismatch''; empty when it was not.',
    key_id LowCardinality(String) COMMENT 'Id of the key that verified it; empty when none did.',
    headers Map(LowCardinality(String), String) COMMENT 'Headers worth keeping as evidence, names in lower case; shared secrets are replaced by the key''s id before this point.' CODEC(ZSTD(3)),
    body String COMMENT 'The raw body, byte for byte.' CODEC(ZSTD(3)),
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.',
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    INDEX id_bloom id TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toMonday(received_at)
ORDER BY (tenant, received_at, id)
TTL toDateTime(received_at) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'One HTTP request taken at an endpoint, as it was received: every version of every row, tombstones too. People read hookwatch.deliveries.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.deliveries
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    boot LowCardinality(String) COMMENT 'Producer: the random id of one start of one edge.',
    seq UInt64 COMMENT 'Number of the record within its boot and lane, dense from 0.',
    position Int64 COMMENT 'Position in the lane; -1 in what an edge writes, for only the log can give one.',
    id String COMMENT 'Given by the edge and answered to the sender: received time in lower-case hex (12 digits), ''-'', boot, ''-'', seq.',
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it handed the delivery to its journal; never goes back within one journal.',
    endpoint LowCardinality(String) COMMENT 'Name of the endpoint in hookwatch.yaml; never its token.',
    provider LowCardinality(String) COMMENT 'Provider that was told to call the endpoint: centurylink, citrix, backup.',
    event_name LowCardinality(String) COMMENT 'Event that the endpoint was registered for, for example Server.Created; empty where the URL does not say.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    origin LowCardinality(String) COMMENT 'webhook, or made by a reconciliation.',
    verdict LowCardinality(String) COMMENT 'What verification said.',
    verdict_reason LowCardinality(String) COMMENT 'Why it was rejected, for example ''signature mismatch''; empty when it was not.',
    key_id LowCardinality(String) COMMENT 'Id of the key that verified it; empty when none did.',
    headers Map(LowCardinality(String), String) COMMENT 'Headers worth keeping as evidence, names in lower case; shared secrets are replaced by the key''s id before this point.',
    body String COMMENT 'The raw body, byte for byte.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
AS SELECT
    tenant,
    boot,
    seq,
    position,
    id,
    received_at,
    endpoint,
    provider,
    event_name,
    account,
    origin,
    verdict,
    verdict_reason,
    key_id,
    headers,
    body,
    flags
FROM hookwatch.deliveries_rows FINAL
WHERE NOT withdrawn
COMMENT 'One HTTP request taken at an endpoint, as it was received: the newest version of each row that was not withdrawn.';
