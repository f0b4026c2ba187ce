/** The users of a ClickHouse server: a file for its folder users.d. */
import { createHash } from 'node:crypto';
import { rebuildDatabase } from '../rebuild/kept.ts';

/** What an analyst may take, as of the embedded engine (services/ports/warehouse/chdb). */
const executionSecondsMax = 300;
const resultBytesMax = 128 * 1024 * 1024;
const memoryBytesMax = 2 * 1024 * 1024 * 1024;

/**
 * Settings that clients send of themselves, @clickhouse/client, clickhouse-connect and Grafana's plug-in: under
 * `readonly=1` a server refuses a whole query for any setting that is not changeable. None of them reaches a file, a
 * network, or more than the limits of the others.
 */
const changeable = [
  'date_time_input_format',
  'date_time_output_format',
  'enable_http_compression',
  'http_headers_progress_interval_ms',
  'output_format_json_quote_64bit_integers',
  'send_progress_in_http_headers',
  'session_timezone',
  'use_uncompressed_cache',
];

/**
 * XML for users.d. `hookwatch` fills and changes the tables of its two databases; `analyst` reads the database `hookwatch`, what the server says
 * of its own tables and columns, and nothing else. Nobody comes in without a password: the user `default` is removed.
 *
 * Passwords are stored as their SHA-256, so the file itself opens nothing. What an element means:
 * https://clickhouse.com/docs/operations/settings/settings-users, .../settings/constraints-on-settings
 */
export function clickhouseUsers(passwords: { hookwatch: string; analyst: string }): string {
  const limit = (name: string, max: number) =>
    `        <${name}>\n          <max>${max}</max>\n          <changeable_in_readonly/>\n        </${name}>\n`;
  const limits = Object.entries({
    max_execution_time: executionSecondsMax,
    max_memory_usage: memoryBytesMax,
    max_result_bytes: resultBytesMax,
  });
  return `<?xml version="1.0"?>
<!-- Made by \`hookwatch setup\` at every start: changes to it are lost. -->
<clickhouse>
  <profiles>
    <analyst>
      <readonly>1</readonly>
${limits.map(([name, max]) => `      <${name}>${max}</${name}>\n`).join('')}      <constraints>
${limits.map(([name, max]) => limit(name, max)).join('')}${changeable
  .map((name) => `        <${name}><changeable_in_readonly/></${name}>\n`)
  .join('')}      </constraints>
    </analyst>
  </profiles>
  <users>
    <default remove="remove"/>
    <hookwatch>
      <password_sha256_hex>${sha256(passwords.hookwatch)}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT ALL ON hookwatch.*</query>
        <query>GRANT ALL ON ${rebuildDatabase}.*</query>
        <query>GRANT SELECT ON system.*</query>
      </grants>
    </hookwatch>
    <analyst>
      <password_sha256_hex>${sha256(passwords.analyst)}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>analyst</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SELECT, SHOW ON hookwatch.*</query>
        <query>GRANT SHOW ON system.*</query>
        <query>GRANT SHOW, SELECT ON INFORMATION_SCHEMA.*</query>
        <query>GRANT SHOW, SELECT ON information_schema.*</query>
      </grants>
    </analyst>
  </users>
</clickhouse>
`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
