-- Servers as they were last seen, with a column for every field that the provider documents (Webhooks FAQ of 13 October
-- 2014); fields that it does not stay in data. What cannot be read as the type that is documented is as if it were absent.
--
-- The newest snapshot is the one with the latest changeInfo.modifiedDate, for providers send out of order; between equals
-- that which was received last, by when its first copy was: a twin that comes later makes no snapshot newer. Updates that
-- are late for a deletion (flag after_deletion) bring nothing back to life.
-- Names are compared in upper case: the provider's own spelling varies.

CREATE OR REPLACE VIEW hookwatch.servers_latest
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant.',
    account LowCardinality(String) COMMENT 'Account as provider:account.',
    server String COMMENT 'Server name in upper case.',
    modified_at Nullable(DateTime64(3, 'UTC')) COMMENT 'changeInfo.modifiedDate of the snapshot; null where it has none.',
    location LowCardinality(String) COMMENT 'Data centre, for example WA1; empty where the snapshot does not say.',
    status String COMMENT 'status of the snapshot, for example active or underConstruction.',
    server_id String COMMENT 'id: the provider''s, often the name in lower case.',
    name String COMMENT 'name as the provider spells it.',
    description String COMMENT 'description.',
    group_id String COMMENT 'groupId.',
    is_template Nullable(Bool) COMMENT 'isTemplate; null where the snapshot does not say.',
    os_type String COMMENT 'osType.',
    type String COMMENT 'type: standard, hyperscale, bareMetal.',
    storage_type String COMMENT 'storageType: standard, premium.',
    power_state String COMMENT 'details.powerState: started, stopped, paused; empty while it is built.',
    in_maintenance_mode Nullable(Bool) COMMENT 'details.inMaintenanceMode; null where the snapshot does not say.',
    cpu Nullable(Int64) COMMENT 'details.cpu: number of processors; null where the snapshot does not say.',
    memory_mb Nullable(Int64) COMMENT 'details.memoryMB; null where the snapshot does not say.',
    storage_gb Nullable(Float64) COMMENT 'details.storageGB: of all disks; null where the snapshot does not say.',
    disk_count Nullable(Int64) COMMENT 'details.diskCount; null where the snapshot does not say.',
    disks Array(Tuple(id String, sizeGB Nullable(Float64), partitionPaths Array(String))) COMMENT 'details.disks, under the provider''s names.',
    partitions Array(Tuple(path String, sizeGB Nullable(Float64))) COMMENT 'details.partitions, under the provider''s names.',
    snapshots Array(Tuple(name String, links Array(Tuple(rel String, href String)))) COMMENT 'details.snapshots, under the provider''s names.',
    ip_addresses Array(Tuple(public String, internal String)) COMMENT 'details.ipAddresses: pairs of public and internal; public is empty where there is none.',
    custom_fields Array(Tuple(id String, name String, value String, displayValue String)) COMMENT 'details.customFields, under the provider''s names; an id that is a number is text here.',
    alert_policies Array(Tuple(id String, name String, links Array(Tuple(rel String, href String, verbs Array(String))))) COMMENT 'details.alertPolicies, under the provider''s names.',
    created_by String COMMENT 'changeInfo.createdBy: name of a user.',
    created_at Nullable(DateTime64(3, 'UTC')) COMMENT 'changeInfo.createdDate; null where the snapshot does not say.',
    modified_by String COMMENT 'changeInfo.modifiedBy: name of a user.',
    links Array(Tuple(rel String, href String, id String, verbs Array(String))) COMMENT 'links, under the provider''s names. Their ids are not to be trusted.',
    received_at DateTime64(3, 'UTC') COMMENT 'When the event that brought the snapshot was received first.',
    position Int64 COMMENT 'Position in the lane of the event that brought the snapshot.',
    event String COMMENT 'Id of the event that brought the snapshot.',
    origin LowCardinality(String) COMMENT 'reconcile where a reconciliation recovered the snapshot before any webhook told it.',
    deleted Bool COMMENT 'True when a deletion came after the server''s snapshots.',
    data String COMMENT 'The snapshot as JSON.'
)
AS SELECT
    tenant,
    account,
    server,
    newest.1 AS modified_at,
    body.locationId AS location,
    body.status AS status,
    body.id AS server_id,
    body.name AS name,
    body.description AS description,
    body.groupId AS group_id,
    body.isTemplate AS is_template,
    body.osType AS os_type,
    body.type AS type,
    body.storageType AS storage_type,
    body.details.powerState AS power_state,
    body.details.inMaintenanceMode AS in_maintenance_mode,
    body.details.cpu AS cpu,
    body.details.memoryMB AS memory_mb,
    body.details.storageGB AS storage_gb,
    body.details.diskCount AS disk_count,
    body.details.disks AS disks,
    body.details.partitions AS partitions,
    body.details.snapshots AS snapshots,
    body.details.ipAddresses AS ip_addresses,
    body.details.customFields AS custom_fields,
    body.details.alertPolicies AS alert_policies,
    body.changeInfo.createdBy AS created_by,
    parseDateTime64BestEffortOrNull(body.changeInfo.createdDate, 3, 'UTC') AS created_at,
    body.changeInfo.modifiedBy AS modified_by,
    body.links AS links,
    newest.2 AS received_at,
    newest.3 AS position,
    newest.4 AS event,
    newest.5 AS origin,
    deleted,
    newest.6 AS data
FROM
(
    SELECT
        tenant,
        account,
        server,
        newest,
        CAST(deleted_at > told_at, 'Bool') AS deleted,
        JSONExtract(newest.6, 'Tuple(
            id String,
            name String,
            description String,
            groupId String,
            isTemplate Nullable(Bool),
            locationId String,
            osType String,
            status String,
            details Tuple(
                ipAddresses Array(Tuple(public String, internal String)),
                alertPolicies Array(Tuple(id String, name String, links Array(Tuple(rel String, href String, verbs Array(String))))),
                cpu Nullable(Int64),
                diskCount Nullable(Int64),
                inMaintenanceMode Nullable(Bool),
                memoryMB Nullable(Int64),
                powerState String,
                storageGB Nullable(Float64),
                disks Array(Tuple(id String, sizeGB Nullable(Float64), partitionPaths Array(String))),
                partitions Array(Tuple(path String, sizeGB Nullable(Float64))),
                snapshots Array(Tuple(name String, links Array(Tuple(rel String, href String)))),
                customFields Array(Tuple(id String, name String, value String, displayValue String))
            ),
            type String,
            storageType String,
            changeInfo Tuple(createdBy String, createdDate String, modifiedBy String, modifiedDate String),
            links Array(Tuple(rel String, href String, id String, verbs Array(String)))
        )') AS body
    FROM
    (
        SELECT
            tenant,
            account,
            upper(subject) AS server,
            argMaxIf(
                tuple(modified, first_received_at, position, id, origin, data, parent_account),
                tuple(ifNull(modified, toDateTime64(0, 3, 'UTC')), first_received_at, position),
                action != 'deleted'
            ) AS newest,
            maxIf(tuple(first_received_at, position), action != 'deleted' AND NOT has(flags, 'after_deletion')) AS told_at,
            maxIf(tuple(first_received_at, position), action = 'deleted') AS deleted_at,
            countIf(action != 'deleted') AS snapshots
        FROM
        (
            SELECT
                *,
                parseDateTime64BestEffortOrNull(JSONExtractString(data, 'changeInfo', 'modifiedDate'), 3, 'UTC') AS modified
            FROM hookwatch.events
            WHERE entity = 'server' AND provider = 'centurylink'
        )
        GROUP BY tenant, account, server
    )
    WHERE snapshots > 0
)
COMMENT 'Servers as they were last seen: the newest snapshot of each, by the provider''s modifiedDate.';
