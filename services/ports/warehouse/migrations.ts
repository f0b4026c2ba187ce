import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mainDatabase } from './tables.ts';
import { WarehouseError } from './warehouse.ts';

/** A file of schemas/clickhouse: `{ name: '001_deliveries', sha256, statements: ['CREATE TABLE …', …] }`. */
export interface Migration {
  name: string;
  sha256: string;
  statements: string[];
}

/** How long rows are kept, in days after they were received. */
export interface TtlDays {
  deliveries: number;
  /** Events of accounts, users and administrators, and their changes: no longer than facts, which is the default. */
  persons?: number;
  /** Everything else. What refers to no time (hierarchy, coverage) stays. */
  facts: number;
}

/** The part of a ClickHouse that migrations need. */
export interface MigrationTarget {
  run(sql: string, params?: Record<string, unknown>): Promise<void>;
  ask<Row>(sql: string): Promise<Row[]>;
}

const folder = fileURLToPath(new URL('../../../schemas/clickhouse', import.meta.url));

/**
 * All migrations, in the order in which they are applied. A file is named `<three digits>_<what>.sql`; each of its
 * statements ends with `;` at a line's end and may be repeated, since a file that was not applied to its end is applied
 * again from its beginning.
 */
export function readMigrations(from = folder): Migration[] {
  return readdirSync(from)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      if (!/^\d{3}_[a-z_]+\.sql$/.test(file))
        throw new Error(`Cannot read ${file} as a migration: name it 001_what.sql`);
      const text = readFileSync(`${from}/${file}`, 'utf8');
      const sha256 = createHash('sha256').update(text).digest('hex');
      return { name: file.slice(0, -'.sql'.length), sha256, statements: splitStatements(text) };
    });
}

function splitStatements(text: string): string[] {
  return text
    .split(/;[ \t]*\r?\n/)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(/^--.*$/gm, '').trim() !== '');
}

/** The files name the database that people read; whatever is quoted, such as comments, stays. */
function inDatabase(statement: string, database: string): string {
  const parts = /'(?:[^'\\]|\\.|'')*'|--[^\n]*|\bhookwatch\./gs;
  return statement.replace(parts, (part) => (part === `${mainDatabase}.` ? `${database}.` : part));
}

const bootstrap = (database: string) => [
  `CREATE DATABASE IF NOT EXISTS ${database} COMMENT 'What Hookwatch received and found'`,
  `CREATE TABLE IF NOT EXISTS ${database}.migrations
  (
      name String COMMENT 'File of schemas/clickhouse, without .sql.',
      sha256 FixedString(64) COMMENT 'SHA-256 of the file as it was applied.',
      applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied.'
  )
  ENGINE = ReplacingMergeTree
  ORDER BY (name, sha256)
  SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
  COMMENT 'Which files of schemas/clickhouse were applied. An applied file never changes: later files change what it made.'`,
];

/**
 * Applies what was not applied yet, in order, then sets the TTLs. Migrations only add, so that an older Hookwatch
 * works on a newer schema: names in the table that it does not know are left alone.
 * @throws WarehouseError WAREHOUSE_MIGRATION when an applied file was changed.
 */
export async function applyMigrations(
  target: MigrationTarget,
  migrations: readonly Migration[],
  ttlDays: TtlDays,
  database = mainDatabase,
): Promise<void> {
  for (const statement of bootstrap(database)) await target.run(statement);
  const rows = await target.ask<{ name: string; sha256: string }>(`SELECT name, sha256 FROM ${database}.migrations`);
  for (const { name, sha256, statements } of migrations) {
    const applied = rows.filter((row) => row.name === name).map((row) => row.sha256);
    if (applied.includes(sha256)) continue;
    if (applied.length > 0) {
      throw new WarehouseError(
        'WAREHOUSE_MIGRATION',
        `Cannot migrate: schemas/clickhouse/${name}.sql has SHA-256 ${sha256}, but ${applied[0]} was applied. ` +
          'Restore the file and put the change into a new one.',
      );
    }
    for (const statement of statements) await target.run(inDatabase(statement, database));
    await target.run(`INSERT INTO ${database}.migrations (name, sha256) SELECT {name:String}, {sha256:String}`, {
      name,
      sha256,
    });
  }
  await setTtls(target, ttlDays, database);
}

/** Brings each table's TTL to the settings. The files hold defaults, so that changing a setting changes no file. */
async function setTtls(target: MigrationTarget, ttlDays: TtlDays, database: string): Promise<void> {
  const tables = await target.ask<{ name: string; engine_full: string }>(
    `SELECT name, engine_full FROM system.tables WHERE database = '${database}' AND engine_full LIKE '% TTL %'`,
  );
  for (const { name, engine_full } of tables) {
    const [, column, days, personsDays] = ttlPattern.exec(engine_full) ?? [];
    if (column === undefined) continue;
    const wanted = daysOf(name, ttlDays);
    if (Number(days) === wanted.rows && (personsDays === undefined || Number(personsDays) === wanted.persons)) continue;
    const after = (wantedDays: number) => `toDateTime(${column}) + INTERVAL ${wantedDays} DAY`;
    const persons = personsDays === undefined ? '' : `, ${after(wanted.persons)} DELETE WHERE ${ofPersons}`;
    await target.run(`ALTER TABLE ${database}.${name} MODIFY TTL ${after(wanted.rows)}${persons}`);
  }
}

/** What tells of persons, in tables that have such a TTL; as schemas/clickhouse has it. */
const ofPersons = "entity IN ('account', 'user', 'administrator')";
const ttlPattern =
  /TTL toDateTime\((\w+)\) \+ toIntervalDay\((\d+)\)(?:, toDateTime\(\w+\) \+ toIntervalDay\((\d+)\) WHERE)?/;

function daysOf(table: string, { deliveries, facts, persons = facts }: TtlDays): { rows: number; persons: number } {
  // Refused rows may be of any kind, and hold it whole.
  if (table === 'sink_refused_rows') return { rows: Math.min(deliveries, persons, facts), persons };
  return { rows: table === 'deliveries_rows' ? deliveries : facts, persons };
}
