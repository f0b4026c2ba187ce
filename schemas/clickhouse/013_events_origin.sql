-- Events say where they come from, who did it, and what else the body tells. Rows that were written before take defaults.

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS origin LowCardinality(String) DEFAULT 'webhook' COMMENT 'reconcile where a reconciliation recovered the fact before any webhook told it.';

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS actor String COMMENT 'Who did it, by the body''s word; empty where it does not say.';

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS correlation String COMMENT 'Id by which the provider ties events together, for example Citrix'' TransactionId; empty where there is none.';

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS attributes Map(LowCardinality(String), String) COMMENT 'Facts of the body by their names in snake_case, for example severity, priority, result; empty where there are none.' CODEC(ZSTD(1));

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS unknown_fields Array(LowCardinality(String)) COMMENT 'Names of fields of the body that no page of the provider lists, sorted; at most 50.';

ALTER TABLE hookwatch.events_rows ADD COLUMN IF NOT EXISTS endpoints Array(LowCardinality(String)) COMMENT 'Names of the endpoints that took the deliveries, in the order of deliveries.';

ALTER TABLE hookwatch.events_rows COMMENT COLUMN source 'Endpoint that received it first: /<provider>/<endpoint>.';

ALTER TABLE hookwatch.events_rows COMMENT COLUMN entity 'account, user, server, alert, backup, or what the provider names: administrator, resource_location.';

ALTER TABLE hookwatch.events_rows COMMENT COLUMN action 'created, updated, deleted, notified, logged_in, reported, or what the provider names.';

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
    source LowCardinality(String) COMMENT 'Endpoint that received it first: /<provider>/<endpoint>.',
    type LowCardinality(String) COMMENT '<provider>.<entity>.<action>, for example centurylink.server.created.',
    subject String COMMENT 'What it is about, within the account: server name, user name, account alias.',
    time DateTime64(3, 'UTC') COMMENT 'When it happened: the body''s own time where it can be trusted, else received_at.',
    time_basis LowCardinality(String) COMMENT 'Where time comes from.',
    entity LowCardinality(String) COMMENT 'account, user, server, alert, backup, or what the provider names: administrator, resource_location.',
    action LowCardinality(String) COMMENT 'created, updated, deleted, notified, logged_in, reported, or what the provider names.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    parent_account LowCardinality(String) COMMENT 'Account directly above, as provider:account; empty where the body does not say.',
    novelty LowCardinality(String) COMMENT 'created: the provider said so and the flow had not met it; seen: first met in something else than a creation.',
    location LowCardinality(String) COMMENT 'Data centre, for example WA1; empty where the body does not say.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.',
    data String COMMENT 'The body as it was received, checked to be one JSON object; numbers stand as they were written.',
    origin LowCardinality(String) COMMENT 'reconcile where a reconciliation recovered the fact before any webhook told it.',
    actor String COMMENT 'Who did it, by the body''s word; empty where it does not say.',
    correlation String COMMENT 'Id by which the provider ties events together, for example Citrix'' TransactionId; empty where there is none.',
    attributes Map(LowCardinality(String), String) COMMENT 'Facts of the body by their names in snake_case, for example severity, priority, result; empty where there are none.',
    unknown_fields Array(LowCardinality(String)) COMMENT 'Names of fields of the body that no page of the provider lists, sorted; at most 50.',
    endpoints Array(LowCardinality(String)) COMMENT 'Names of the endpoints that took the deliveries, in the order of deliveries.'
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
    data,
    origin,
    actor,
    correlation,
    attributes,
    unknown_fields,
    endpoints
FROM hookwatch.events_rows FINAL
WHERE NOT withdrawn
COMMENT 'The fact that a delivery states, normalised: the newest version of each row that was not withdrawn.';
