-- What tells of persons may have to leave before all else: events of accounts, users and administrators, and what changed
-- of them, are removed from between the others. So parts are not only dropped whole: those that hold what is too old are
-- written anew, once a day at most. The days are brought to the settings at every start.

ALTER TABLE hookwatch.events_rows MODIFY SETTING ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;

ALTER TABLE hookwatch.changes_rows MODIFY SETTING ttl_only_drop_parts = 0, merge_with_ttl_timeout = 86400;

ALTER TABLE hookwatch.events_rows MODIFY TTL
    toDateTime(first_received_at) + INTERVAL 400 DAY,
    toDateTime(first_received_at) + INTERVAL 400 DAY DELETE WHERE entity IN ('account', 'user', 'administrator');

ALTER TABLE hookwatch.changes_rows MODIFY TTL
    toDateTime(first_received_at) + INTERVAL 400 DAY,
    toDateTime(first_received_at) + INTERVAL 400 DAY DELETE WHERE entity IN ('account', 'user', 'administrator');
