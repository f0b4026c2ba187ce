import { openClickHouse } from './clickhouse.ts';
import { goldenSuite } from './golden.ts';

goldenSuite('ClickHouse', openClickHouse);
