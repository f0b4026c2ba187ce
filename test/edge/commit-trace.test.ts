import { expect, test } from 'vitest';
import { checkAnswers } from './commit-trace.ts';

const wal = '21</data/records/0000000000000000.db-wal>';
const id = '01a202673d3b-ee1b12955c1c3af5-3';
const header = (pages: number) =>
  `9 pwrite64(${wal}, "${'\\x00'.repeat(7)}\\x0${pages}${'\\x28'.repeat(16)}", 24, 65664) = 24`;
const page = (text: string) => {
  const hex = [...text].map((letter) => `\\x${letter.charCodeAt(0).toString(16)}`).join('');
  return `9 pwrite64(${wal}, "\\x0d\\x00${hex}", 16384, 65688) = 16384`;
};
const sync = `9 fsync(${wal}) = 0`;
const answer = `7 write(34<socket:[329153]>, "HTTP/1.1 202 Accepted\\r\\nContent-Length: 40\\r\\n\\r\\n{\\"id\\":\\"${id}\\"}", 202) = 202`;
const halves = (call: string, result: string) => [
  call.replace(/\) = .*/, ' <unfinished ...>'),
  `${call[0]} <... ${call.slice(2, call.indexOf('('))} resumed>) = ${result}`,
];
const [syncBegins = '', syncEnds = ''] = halves(sync, '0');
const [answerBegins = '', answerEnds = ''] = halves(answer, '202');
const commit = [header(2), page(id)];

test.each<[string, string[], string]>([
  ['written, synced, answered', [...commit, sync, answer], ''],
  ['fdatasync will do', [...commit, `9 fdatasync(${wal}) = 0`, answer], ''],
  [
    'by writev',
    [
      ...commit,
      sync,
      `7 writev(34<socket:[3]>, [{iov_base="HTTP/1.1 202 Accepted\\r\\n\\r\\n", iov_len=25}, {iov_base="{\\"id\\":\\"${id}\\"}", iov_len=40}], 2) = 65`,
    ],
    '',
  ],
  ['the sync is interrupted and returns in time', [...commit, syncBegins, syncEnds, answer], ''],
  ['a transaction of several pages', [header(0), page(id), header(2), page('more'), sync, answer], ''],
  ['answered first', [answer, ...commit, sync], 'it was answered before the sync returned'],
  ['answered between write and sync', [...commit, answer, sync], 'it was answered before the sync returned'],
  [
    'answered while the sync is under way',
    [...commit, syncBegins, answer, syncEnds],
    'it was answered before the sync returned',
  ],
  [
    'the answer begins while the sync is under way',
    [...commit, syncBegins, answerBegins, syncEnds, answerEnds],
    'it was answered before the sync returned',
  ],
  ['the sync never returns', [...commit, syncBegins, answer], 'its transaction was never synced'],
  ['the sync came before the write', [sync, ...commit, answer], 'its transaction was never synced'],
  [
    'the sync came before the commit frame',
    [header(0), page(id), sync, header(2), page('more'), answer],
    'its transaction was never synced',
  ],
  [
    'the sync failed',
    [...commit, `9 fsync(${wal}) = -1 EIO (Input/output error)`, answer],
    'its transaction was never synced',
  ],
  ['another file was synced', [...commit, sync.replace('wal', 'shm'), answer], 'its transaction was never synced'],
  [
    'another segment was synced',
    [...commit, sync.replace('000.db', '042.db'), answer],
    'its transaction was never synced',
  ],
  ['no frame commits', [header(0), page(id), sync, answer], 'its transaction was never committed'],
  [
    'another delivery was written',
    [header(2), page('01a202673d3b-ee1b12955c1c3af5-2'), sync, answer],
    'its delivery was never written to the journal',
  ],
])('%s', (_, lines, fault) => {
  expect(checkAnswers(lines.join('\n'))).toEqual([{ id, fault }]);
});

test('other answers are no promise', () => {
  expect(checkAnswers(answer.replace('202 Accepted', '503 Service Unavailable'))).toEqual([]);
});
