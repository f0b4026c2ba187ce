-- Accounts as they were last seen, with a column for every field that the provider documents (Webhooks FAQ of 13 October
-- 2014); fields that it does not stay in data. Bodies of accounts have no time: the newest is the one received last, by
-- when its first copy was. What is here are persons' data: rows leave with their events (HOOKWATCH_PERSONS_TTL_DAYS).

CREATE OR REPLACE VIEW hookwatch.accounts_latest
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant.',
    account LowCardinality(String) COMMENT 'Account as provider:account.',
    account_alias String COMMENT 'accountAlias as the provider spells it.',
    business_name String COMMENT 'businessName.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account; empty where the snapshot does not say.',
    parent_alias String COMMENT 'parentAlias as the provider spells it.',
    primary_data_center LowCardinality(String) COMMENT 'primaryDataCenter, for example WA1.',
    status String COMMENT 'status, for example Active.',
    is_managed Nullable(Bool) COMMENT 'isManaged; null where the snapshot does not say.',
    address_line1 String COMMENT 'addressLine1.',
    address_line2 String COMMENT 'addressLine2.',
    city String COMMENT 'city.',
    state_province String COMMENT 'stateProvince.',
    country String COMMENT 'country.',
    postal_code String COMMENT 'postalCode.',
    telephone String COMMENT 'telephone.',
    links Array(Tuple(rel String, href String, id String, verbs Array(String))) COMMENT 'links, under the provider''s names.',
    received_at DateTime64(3, 'UTC') COMMENT 'When the event that brought the snapshot was received first.',
    position Int64 COMMENT 'Position in the lane of the event that brought the snapshot.',
    event String COMMENT 'Id of the event that brought the snapshot.',
    origin LowCardinality(String) COMMENT 'reconcile where a reconciliation recovered the snapshot before any webhook told it.',
    deleted Bool COMMENT 'True when a deletion came after the account''s snapshots.',
    data String COMMENT 'The snapshot as JSON.'
)
AS SELECT
    tenant,
    account,
    body.accountAlias AS account_alias,
    body.businessName AS business_name,
    newest.7 AS parent_account,
    body.parentAlias AS parent_alias,
    body.primaryDataCenter AS primary_data_center,
    body.status AS status,
    body.isManaged AS is_managed,
    body.addressLine1 AS address_line1,
    body.addressLine2 AS address_line2,
    body.city AS city,
    body.stateProvince AS state_province,
    body.country AS country,
    body.postalCode AS postal_code,
    body.telephone AS telephone,
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
        newest,
        CAST(deleted_at > told_at, 'Bool') AS deleted,
        JSONExtract(newest.6, 'Tuple(
            accountAlias String,
            businessName String,
            parentAlias String,
            primaryDataCenter String,
            status String,
            isManaged Nullable(Bool),
            addressLine1 String,
            addressLine2 String,
            city String,
            stateProvince String,
            country String,
            postalCode String,
            telephone String,
            links Array(Tuple(rel String, href String, id String, verbs Array(String)))
        )') AS body
    FROM
    (
        SELECT
            tenant,
            account,
            argMaxIf(
                tuple('', first_received_at, position, id, origin, data, parent_account),
                tuple(first_received_at, position),
                action != 'deleted'
            ) AS newest,
            maxIf(tuple(first_received_at, position), action != 'deleted' AND NOT has(flags, 'after_deletion')) AS told_at,
            maxIf(tuple(first_received_at, position), action = 'deleted') AS deleted_at,
            countIf(action != 'deleted') AS snapshots
        FROM hookwatch.events
        WHERE entity = 'account' AND provider = 'centurylink'
        GROUP BY tenant, account
    )
    WHERE snapshots > 0
)
COMMENT 'Accounts as they were last seen: the snapshot of each that was received last.';
