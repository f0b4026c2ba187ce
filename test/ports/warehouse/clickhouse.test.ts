/** What the warehouse makes of failures, with servers that are none. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createClickHouseWarehouse } from '../../../services/ports/warehouse/clickhouse.ts';
import type { SqlWarehouse } from '../../../services/ports/warehouse/warehouse.ts';
import { insertValues } from './contract.ts';
import { fixture } from './records.ts';

let server: Server | undefined;
let warehouse: SqlWarehouse | undefined;
afterEach(async () => {
  await warehouse?.close();
  server?.closeAllConnections();
  server?.close();
});

async function reach(listener: RequestListener, timeoutMs = 10_000): Promise<SqlWarehouse> {
  server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  warehouse = createClickHouseWarehouse({ url, username: 'u', password: 'hidden', timeoutMs });
  return warehouse;
}

const insert = (into: SqlWarehouse) => insertValues(into, 'pane', [fixture('pane', {})]);

test.each([
  [429, 'Code: 202. DB::Exception: Too many. (TOO_MANY_SIMULTANEOUS_QUERIES)', 'WAREHOUSE_OVERLOADED', true],
  [500, 'Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)', 'WAREHOUSE_OVERLOADED', true],
  [500, 'Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)', 'WAREHOUSE_OVERLOADED', true],
  [408, 'Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED)', 'WAREHOUSE_TIMEOUT', true],
  [403, 'Code: 516. DB::Exception: u: Authentication failed. (AUTHENTICATION_FAILED)', 'WAREHOUSE_REFUSED', false],
  [404, "Code: 60. DB::Exception: Table x doesn't exist. (UNKNOWN_TABLE)", 'WAREHOUSE_SCHEMA', false],
  [400, 'Code: 36. DB::Exception: Cannot insert into type DateTime64. (BAD_ARGUMENTS)', 'WAREHOUSE_SCHEMA', false],
  [
    500,
    'Code: 1001. DB::Exception: std::filesystem: No space left on device. (STD_EXCEPTION)',
    'WAREHOUSE_OTHER',
    true,
  ],
  [500, 'Code: 999. DB::Exception: Something new. (KEEPER_EXCEPTION)', 'WAREHOUSE_OTHER', true],
  [503, '<html>no upstream</html>', 'WAREHOUSE_UNAVAILABLE', true],
])('status %i with %j', async (status, text, code, retryable) => {
  const into = await reach((request, response) =>
    request.resume().on('end', () => response.writeHead(status).end(text)),
  );
  const failure = insert(into);
  await expect(failure).rejects.toMatchObject({ code, retryable, cause: expect.any(Error) });
  await expect(failure).rejects.not.toThrow('hidden');
});

test.each([
  [200, '', 'WAREHOUSE_DATA', false],
  [400, 'Code: 36. DB::Exception: Cannot insert into type DateTime64. (BAD_ARGUMENTS)', 'WAREHOUSE_SCHEMA', false],
  [503, 'Code: 202. DB::Exception: Too many. (TOO_MANY_SIMULTANEOUS_QUERIES)', 'WAREHOUSE_OVERLOADED', true],
])('rows are refused, and no rows at all are answered %i %j', async (status, text, code, retryable) => {
  const answers = [[400, 'Code: 117. DB::Exception: Cannot parse. (INCORRECT_DATA)'] as const, [status, text] as const];
  const into = await reach((request, response) =>
    request.resume().on('end', () => {
      const [nextStatus, nextText] = answers.shift()!;
      response.writeHead(nextStatus).end(nextText);
    }),
  );
  await expect(insert(into)).rejects.toMatchObject({ code, retryable });
  expect(answers).toEqual([]);
});

test('nobody there', async () => {
  warehouse = createClickHouseWarehouse({ url: 'http://127.0.0.1:1', username: 'u', password: 'p' });
  await expect(warehouse.migrate()).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE', retryable: true });
});

test('a server that breaks off', async () => {
  const into = await reach((request) => request.socket.destroy());
  await expect(insert(into)).rejects.toMatchObject({ code: 'WAREHOUSE_UNAVAILABLE', retryable: true });
});

test('a server that is silent', async () => {
  const into = await reach((request) => request.resume(), 50);
  for (const call of [insert(into), into.query('SELECT 1'), into.migrate(), into.rows('pane')]) {
    await expect(call).rejects.toMatchObject({ code: 'WAREHOUSE_TIMEOUT', retryable: true });
  }
});
