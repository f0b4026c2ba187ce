import { expect, test } from 'vitest';
import { answerTo } from './dns.ts';

const typeA = 1;
const typeAaaa = 28;

/** Recursion desired, one question; `more` follows it, as EDNS does. */
function query(name: string, type: number, more = Buffer.of()): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  const header = Buffer.from([0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, more.length > 0 ? 1 : 0]);
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, type, 0, 1]), more]);
}

const resolve = (name: string) => (name === 'worker' ? ['10.91.0.2', '10.91.0.3'] : undefined);
const codeOf = (answer: Buffer) => answer.readUInt16BE(2) & 0xf;
const countOf = (answer: Buffer) => answer.readUInt16BE(6);

test('a name has the addresses of all its containers', () => {
  const answer = answerTo(query('Worker', typeA, Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])), resolve)!;
  expect(answer.readUInt16BE(0)).toBe(0xabcd);
  expect({ code: codeOf(answer), count: countOf(answer) }).toEqual({ code: 0, count: 2 });
  expect(answer.subarray(-4)).toEqual(Buffer.from([10, 91, 0, 3]));
});

test('a known name without such addresses is no unknown name', () => {
  const answer = answerTo(query('worker', typeAaaa), resolve)!;
  expect({ code: codeOf(answer), count: countOf(answer) }).toEqual({ code: 0, count: 0 });
  expect(codeOf(answerTo(query('kafka.example', typeA), resolve)!)).toBe(3);
});

test('what is no question gets no answer', () => {
  expect(answerTo(Buffer.alloc(5), resolve)).toBeUndefined();
  expect(answerTo(query('worker', typeA).subarray(0, 14), resolve)).toBeUndefined();
});
