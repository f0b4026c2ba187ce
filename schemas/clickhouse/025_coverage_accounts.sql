-- Coverage of each account with all that concerns it: what concerns every account is said once, in the rows without an
-- account, so that an outage is one row and not one for each of a hundred thousand accounts. Here both are cut where either
-- begins or ends; the worse of the two is the state.

CREATE OR REPLACE VIEW hookwatch.coverage_accounts
(
    tenant LowCardinality(String) COMMENT 'Name of the tenant whose lane holds the record.',
    provider LowCardinality(String) COMMENT 'Provider that it is about.',
    account LowCardinality(String) COMMENT 'Account as provider:account, for example centurylink:DEMO.',
    state LowCardinality(String) COMMENT 'good: whatever happened was told; degraded: some was lost; blind: nothing could have come; unknown: nothing measures it.',
    reasons Array(LowCardinality(String)) COMMENT 'Why, each from a closed list in the flow, sorted.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it became so.',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it became otherwise; null while it is so.'
)
AS WITH
    ['good', 'unknown', 'degraded', 'blind'] AS levels,
    toDateTime64('2299-12-31 00:00:00', 3, 'UTC') AS never
SELECT
    own.tenant AS tenant,
    own.provider AS provider,
    own.account AS account,
    levels[greatest(indexOf(levels, own.state), indexOf(levels, lane.state))] AS state,
    -- That nothing measures an account matters only while nothing else does.
    if(
        state = 'unknown',
        own.reasons,
        arraySort(arrayDistinct(arrayFilter(reason -> reason != 'not_measured', arrayConcat(own.reasons, lane.reasons))))
    ) AS reasons,
    greatest(own.started_at, lane.from) AS started_at,
    nullIf(least(ifNull(own.ended_at, never), lane.to), never) AS ended_at
FROM hookwatch.coverage AS own
INNER JOIN
(
    SELECT
        tenant,
        state,
        reasons,
        -- An account may be older than the first sign of life of its lane: nothing else is known of that time.
        if(started_at = min(started_at) OVER (PARTITION BY tenant), toDateTime64('1970-01-01 00:00:00', 3, 'UTC'), started_at) AS from,
        ifNull(ended_at, toDateTime64('2299-12-31 00:00:00', 3, 'UTC')) AS to
    FROM hookwatch.coverage
    WHERE account = ''
) AS lane ON own.tenant = lane.tenant
WHERE own.account != '' AND own.started_at < lane.to AND lane.from < ifNull(own.ended_at, never)
COMMENT 'How far absence of events means that nothing happened, for each account with what concerns all of them: intervals that meet and do not overlap.';
