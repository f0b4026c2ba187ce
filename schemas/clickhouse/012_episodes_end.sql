-- Episodes whose closing is lost end in more ways than with the next opening.

ALTER TABLE hookwatch.episodes_rows COMMENT COLUMN ended_by 'What closed it: alert; where its own closing never came next_opening, deletion (of its server or account) or expiry (after a day); empty while open.';

-- For people: the newest version of what still holds.
CREATE OR REPLACE VIEW hookwatch.episodes
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    id String COMMENT 'Fixed at first emission: received time in lower-case hex (12 digits), ''-'', 20 hex digits of a SHA-256.',
    first_received_at DateTime64(3, 'UTC') COMMENT 'received_at of the first delivery behind the record: fixed with the id, so it may partition and sort.',
    position Int64 COMMENT 'Position in the lane of the record that led to this version.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO; empty where unknown.',
    server String COMMENT 'Server name as the provider spells it.',
    metric LowCardinality(String) COMMENT 'cpu, memory, disk or what the provider named.',
    state LowCardinality(String) COMMENT 'Whether the alert is still on.',
    opened_at DateTime64(3, 'UTC') COMMENT 'stateStartTime of the alert, else when its opening was received.',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'stateEndTime of the alert, else when its closing was received; null while open.',
    length_ms Nullable(Int64) COMMENT 'closed_at - opened_at in milliseconds; null while open. Never the policy''s duration.',
    ended_by LowCardinality(String) COMMENT 'What closed it: alert; where its own closing never came next_opening, deletion (of its server or account) or expiry (after a day); empty while open.',
    policy_duration String COMMENT 'duration of the policy''s trigger as the provider wrote it, hh:mm:ss.',
    events Array(String) COMMENT 'Ids of the events behind it, in the order in which they counted.',
    flags Array(LowCardinality(String)) COMMENT 'Remarks on the record, each from a closed list in the flow; empty when there is nothing to say.'
)
AS SELECT
    tenant,
    id,
    first_received_at,
    position,
    account,
    server,
    metric,
    state,
    opened_at,
    closed_at,
    length_ms,
    ended_by,
    policy_duration,
    events,
    flags
FROM hookwatch.episodes_rows FINAL
WHERE NOT withdrawn
COMMENT 'An alert''s life on one server and metric: the newest version of each row that was not withdrawn.';
