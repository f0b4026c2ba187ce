-- Reading a lane again from its deliveries and controls goes by position, page by page. Position nearly follows
-- received_at, by which rows lie, so the least and the greatest of each granule tell which to read. Parts that were
-- written before have no index, and are looked through.

ALTER TABLE hookwatch.deliveries_rows ADD INDEX IF NOT EXISTS position_range position TYPE minmax GRANULARITY 1;

ALTER TABLE hookwatch.control_rows ADD INDEX IF NOT EXISTS position_range position TYPE minmax GRANULARITY 1;
