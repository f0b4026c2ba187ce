-- Users as they were last seen: as accounts_latest. Names are compared in lower case, as the provider does.

CREATE OR REPLACE VIEW hookwatch.users_latest
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant.',
    account LowCardinality(String) COMMENT 'Account as provider:account.',
    user String COMMENT 'User name in lower case.',
    user_name String COMMENT 'userName as the provider spells it.',
    email_address String COMMENT 'emailAddress.',
    first_name String COMMENT 'firstName.',
    last_name String COMMENT 'lastName.',
    status String COMMENT 'status, for example Active.',
    account_alias String COMMENT 'accountAlias as the provider spells it.',
    uri String COMMENT 'uri.',
    account_uri String COMMENT 'accountUri.',
    received_at DateTime64(3, 'UTC') COMMENT 'When the event that brought the snapshot was received first.',
    position Int64 COMMENT 'Position in the lane of the event that brought the snapshot.',
    event String COMMENT 'Id of the event that brought the snapshot.',
    origin LowCardinality(String) COMMENT 'reconcile where a reconciliation recovered the snapshot before any webhook told it.',
    deleted Bool COMMENT 'True when a deletion came after the user''s snapshots.',
    data String COMMENT 'The snapshot as JSON.'
)
AS SELECT
    tenant,
    account,
    user,
    body.userName AS user_name,
    body.emailAddress AS email_address,
    body.firstName AS first_name,
    body.lastName AS last_name,
    body.status AS status,
    body.accountAlias AS account_alias,
    body.uri AS uri,
    body.accountUri AS account_uri,
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
        user,
        newest,
        CAST(deleted_at > told_at, 'Bool') AS deleted,
        JSONExtract(newest.6, 'Tuple(
            userName String,
            emailAddress String,
            firstName String,
            lastName String,
            status String,
            accountAlias String,
            uri String,
            accountUri String
        )') AS body
    FROM
    (
        SELECT
            tenant,
            account,
            lower(subject) AS user,
            argMaxIf(
                tuple('', first_received_at, position, id, origin, data, parent_account),
                tuple(first_received_at, position),
                action != 'deleted'
            ) AS newest,
            maxIf(tuple(first_received_at, position), action != 'deleted' AND NOT has(flags, 'after_deletion')) AS told_at,
            maxIf(tuple(first_received_at, position), action = 'deleted') AS deleted_at,
            countIf(action != 'deleted') AS snapshots
        FROM hookwatch.events
        WHERE entity = 'user' AND provider = 'centurylink'
        GROUP BY tenant, account, user
    )
    WHERE snapshots > 0
)
COMMENT 'Users as they were last seen: the snapshot of each that was received last.';
