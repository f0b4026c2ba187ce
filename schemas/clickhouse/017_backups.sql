-- Backups: a row per account, server and policy. Keys as in events. Rows leave by their last report, not by their first:
-- what still reports stays. A later version never has an earlier one, so no older version outlives it.

CREATE TABLE IF NOT EXISTS hookwatch.backups_rows
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'Version of the row: epoch * 2^32 + revision; the highest wins. 0 in what an edge writes.',
    withdrawn Bool COMMENT 'True once an amendment has taken the fact back; the row then stays as a tombstone.',
    replaced_by String COMMENT 'Id of the record that took this one''s place when two turned out to be one; empty otherwise.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.' CODEC(Delta, ZSTD(1)),
    position Int64 COMMENT 'Position in the lane of the record that led to this version.' CODEC(Delta, ZSTD(1)),
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    server String COMMENT 'Server name as the provider spells it; empty where a report names none.',
    policy LowCardinality(String) COMMENT 'Name of the backup policy.',
    policy_id String COMMENT 'The provider''s id of the policy; empty where no report gave one.',
    state LowCardinality(String) DEFAULT 'unknown' COMMENT 'ok: the last report was a success; failing: it was not; missed: a scheduled one was missed since; silent: no report for much longer than usual.',
    last_result LowCardinality(String) COMMENT 'What the last report said: success, partial_success, failed or missed.',
    last_report_at DateTime64(3, 'UTC') COMMENT 'Time of the last report.' CODEC(Delta, ZSTD(1)),
    last_success_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last success; null where none was reported.',
    last_missed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last missed backup; null where none was reported.',
    consecutive_failures UInt64 COMMENT 'Reports in a row, up to the last one, that a backup failed or succeeded in part only.',
    missed UInt64 COMMENT 'Reports in a row, up to the last one, that a backup was missed.',
    usual_interval_ms Nullable(Int64) COMMENT 'Milliseconds between reports as they usually come; null while too few are known.',
    silent_since Nullable(DateTime64(3, 'UTC')) COMMENT 'When the next report was due that has not come; null unless silent.',
    events Array(String) COMMENT 'Ids of the last events behind it, at most 20, newest last.' CODEC(ZSTD(1)),
    INDEX account_set account TYPE set(64) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(first_received_at)
ORDER BY (tenant, first_received_at, id)
TTL toDateTime(last_report_at) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1
COMMENT 'How the backups of a server under a policy are doing: every version of every row, tombstones too. People read hookwatch.backups.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.backups
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    server String COMMENT 'Server name as the provider spells it; empty where a report names none.',
    policy LowCardinality(String) COMMENT 'Name of the backup policy.',
    policy_id String COMMENT 'The provider''s id of the policy; empty where no report gave one.',
    state LowCardinality(String) COMMENT 'ok: the last report was a success; failing: it was not; missed: a scheduled one was missed since; silent: no report for much longer than usual.',
    last_result LowCardinality(String) COMMENT 'What the last report said: success, partial_success, failed or missed.',
    last_report_at DateTime64(3, 'UTC') COMMENT 'Time of the last report.',
    last_success_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last success; null where none was reported.',
    last_missed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Time of the last missed backup; null where none was reported.',
    consecutive_failures UInt64 COMMENT 'Reports in a row, up to the last one, that a backup failed or succeeded in part only.',
    missed UInt64 COMMENT 'Reports in a row, up to the last one, that a backup was missed.',
    usual_interval_ms Nullable(Int64) COMMENT 'Milliseconds between reports as they usually come; null while too few are known.',
    silent_since Nullable(DateTime64(3, 'UTC')) COMMENT 'When the next report was due that has not come; null unless silent.',
    events Array(String) COMMENT 'Ids of the last events behind it, at most 20, newest last.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    server,
    policy,
    policy_id,
    state,
    last_result,
    last_report_at,
    last_success_at,
    last_missed_at,
    consecutive_failures,
    missed,
    usual_interval_ms,
    silent_since,
    events
FROM hookwatch.backups_rows FINAL
WHERE NOT withdrawn
COMMENT 'How the backups of a server under a policy are doing: the newest version of each row that was not withdrawn.';
