-- Ticks have rows, since a lane can be worked on again from its rows. People would not find anything between them.

-- For people: the newest version of what still holds, without ticks.
CREATE OR REPLACE VIEW hookwatch.control
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    boot LowCardinality(String) COMMENT 'Producer: the random id of one start of one edge.',
    seq UInt64 COMMENT 'Number of the record within its boot and lane, dense from 0.',
    position Int64 COMMENT 'Position in the lane; -1 in what an edge writes, for only the log can give one.',
    id String COMMENT 'Formed like a delivery''s id.',
    received_at DateTime64(3, 'UTC') COMMENT 'The edge''s clock when it wrote the record.',
    kind LowCardinality(String) COMMENT 'What the record tells the flow.',
    edge LowCardinality(String) COMMENT 'boot: name of the edge that starts.',
    predecessor String COMMENT 'boot: the edge''s previous boot; settings: id of the settings it replaces; empty for the first.',
    time Nullable(DateTime64(3, 'UTC')) COMMENT 'tick: time has reached this instant at the edge.',
    catching_up Bool COMMENT 'tick: the edge still forwards a backlog, so its time lags behind.',
    document String COMMENT 'settings and others: the payload as JSON; empty for boot and tick.',
    idempotency_id String COMMENT 'Given by whoever asked for the control: asking twice writes it once in effect.',
    remark String COMMENT 'What the flow did not do with it and why; empty where it took effect, and in what an edge writes.'
)
AS SELECT
    tenant,
    boot,
    seq,
    position,
    id,
    received_at,
    kind,
    edge,
    predecessor,
    time,
    catching_up,
    document,
    idempotency_id,
    remark
FROM hookwatch.control_rows FINAL
WHERE NOT withdrawn AND kind != 'tick'
COMMENT 'A record of a lane that is no delivery, nor a tick: the newest version of each row that was not withdrawn.';
