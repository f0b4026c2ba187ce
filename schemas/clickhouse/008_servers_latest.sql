-- Servers as they were last seen: one row per tenant, account and server.
--
-- The newest snapshot is the one with the latest changeInfo.modifiedDate, for providers send out of order; position
-- decides between equals. A deletion has no snapshot, so it only marks the server, if nothing came after it.
-- Names are compared in upper case: the provider's own spelling varies.

CREATE OR REPLACE VIEW hookwatch.servers_latest
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant.',
    account LowCardinality(String) COMMENT 'Account as provider:account.',
    server String COMMENT 'Server name in upper case.',
    modified_at Nullable(DateTime64(3, 'UTC')) COMMENT 'changeInfo.modifiedDate of the snapshot; null where it has none.',
    position Int64 COMMENT 'Position in the lane of the event that brought the snapshot.',
    event String COMMENT 'Id of the event that brought the snapshot.',
    location LowCardinality(String) COMMENT 'Data centre, for example WA1; empty where the snapshot does not say.',
    status String COMMENT 'status of the snapshot, for example active or underConstruction.',
    deleted Bool COMMENT 'True when a deletion came after the snapshot.',
    data String COMMENT 'The snapshot as JSON.'
)
AS SELECT
    tenant,
    account,
    server,
    newest.1 AS modified_at,
    newest.2 AS position,
    newest.3 AS event,
    newest.4 AS location,
    JSONExtractString(newest.5, 'status') AS status,
    CAST(deleted_position > newest.2, 'Bool') AS deleted,
    newest.5 AS data
FROM
(
    SELECT
        tenant,
        account,
        upper(subject) AS server,
        argMaxIf(
            tuple(modified, position, id, location, data),
            tuple(ifNull(modified, toDateTime64(0, 3, 'UTC')), position),
            action != 'deleted'
        ) AS newest,
        maxIf(position, action = 'deleted') AS deleted_position,
        countIf(action != 'deleted') AS snapshots
    FROM
    (
        SELECT
            *,
            parseDateTime64BestEffortOrNull(JSONExtractString(data, 'changeInfo', 'modifiedDate'), 3, 'UTC') AS modified
        FROM hookwatch.events
        WHERE entity = 'server'
    )
    GROUP BY tenant, account, server
)
WHERE snapshots > 0
COMMENT 'Servers as they were last seen: the newest snapshot of each, by the provider''s modifiedDate.';
