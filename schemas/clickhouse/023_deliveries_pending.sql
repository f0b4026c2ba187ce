-- Deliveries that are neither an event yet, nor a reject: what is not known to be ours waits here for the lateness at most,
-- which is 30 days at most, so no older delivery can wait. An event is at most that much older than what was added to it.
-- Tables take their rows side by side: a delivery that came just now may be here for a moment before its event is.

CREATE OR REPLACE VIEW hookwatch.deliveries_pending
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Id of the delivery: its body is in hookwatch.deliveries.',
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it handed the delivery to its journal.',
    position Int64 COMMENT 'Position in the lane.',
    endpoint LowCardinality(String) COMMENT 'Name of the endpoint that took it.',
    provider LowCardinality(String) COMMENT 'Provider that was told to call the endpoint.',
    event_name LowCardinality(String) COMMENT 'Event that the endpoint was registered for; empty where the URL does not say.',
    account LowCardinality(String) COMMENT 'Account that owns the endpoint, as provider:account; empty where unknown.',
    origin LowCardinality(String) COMMENT 'webhook, or made by a reconciliation.',
    verdict LowCardinality(String) COMMENT 'What verification said.',
    key_id LowCardinality(String) COMMENT 'Id of the key that verified it; empty when none did.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
AS SELECT
    tenant,
    id,
    received_at,
    position,
    endpoint,
    provider,
    event_name,
    account,
    origin,
    verdict,
    key_id,
    flags
FROM hookwatch.deliveries
WHERE verdict != 'rejected'
    AND received_at > now() - INTERVAL 31 DAY
    AND (tenant, id) NOT IN
    (
        SELECT tenant, arrayJoin(deliveries) FROM hookwatch.events WHERE first_received_at > now() - INTERVAL 62 DAY
    )
    AND (tenant, id) NOT IN
    (
        SELECT tenant, delivery FROM hookwatch.rejects WHERE first_received_at > now() - INTERVAL 31 DAY
    )
COMMENT 'Deliveries that wait: neither an event nor a reject was made of them yet.';
