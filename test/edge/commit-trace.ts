/**
 * Reads what `strace -f -y -x` saw of an edge, and checks invariant A of DESIGN.md §8: a 202 means that the delivery is
 * on disk.
 *
 *     write page with the id → write commit frame → sync of the write-ahead log returns → write of the 202 begins
 *
 * The order of the lines is the order of the facts: one tracer stops every thread at the begin and at the end of a call.
 */

/** A system call. `startedAt` and `returnedAt` are lines of the trace. */
interface Call {
  name: string;
  file: string;
  /** What it writes, byte for byte. */
  data: Buffer;
  startedAt: number;
  returnedAt: number;
  result: number;
}

/** A 202 and what speaks against it; empty where its delivery was on disk before. */
export interface Answer {
  id: string;
  fault: string;
}

export function checkAnswers(trace: string): Answer[] {
  const calls = readCalls(trace);
  return calls.flatMap((answer) => {
    const text = answer.data.toString('latin1');
    const id = text.startsWith('HTTP/1.1 202') && /\{"id":\s*"([^"]+)"/.exec(text)?.[1];
    return id ? [{ id, fault: findFault(calls, answer, id) }] : [];
  });
}

function findFault(calls: readonly Call[], answer: Call, id: string): string {
  const journal = calls.filter(({ file }) => file.endsWith('.db-wal'));
  const page = journal.findIndex(({ name, data }) => name === 'pwrite64' && data.includes(id));
  if (page === -1) return 'its delivery was never written to the journal';
  const commit = journal.findIndex((_, index) => index >= page && isCommitFrame(journal[index - 1]));
  if (commit === -1) return 'its transaction was never committed';
  const { file, returnedAt: writtenAt } = journal[commit]!;
  const sync = journal.find(
    (call) => /^f(data)?sync$/.test(call.name) && call.file === file && call.startedAt > writtenAt && call.result === 0,
  );
  if (!sync) return 'its transaction was never synced';
  return sync.returnedAt < answer.startedAt ? '' : 'it was answered before the sync returned';
}

/** A frame's header is 24 bytes: the page's number, then the database's size in pages where the frame commits, else 0. */
function isCommitFrame(header: Call | undefined): boolean {
  return header?.data.length === 24 && header.data.readUInt32BE(4) !== 0;
}

function readCalls(trace: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, Call>();
  for (const [line, text] of trace.split('\n').entries()) {
    const [, thread = '', resumed, started] = /^(\d+) +(?:<\.\.\. (\w+) resumed>.*|(\w+)\(.*)$/s.exec(text) ?? [];
    const result = Number(/\) += (-?\d+)[^=]*$/.exec(text)?.[1] ?? Number.NaN);
    if (started) {
      const call = { name: started, file: fileOf(text), data: dataOf(text), startedAt: line, returnedAt: line, result };
      calls.push(call);
      if (text.endsWith('<unfinished ...>')) unfinished.set(thread, Object.assign(call, { returnedAt: Infinity }));
    }
    const call = unfinished.get(thread);
    if (resumed && call?.name === resumed) Object.assign(call, { returnedAt: line, result });
  }
  return calls;
}

/** `21</data/records/0.db-wal>` → its path. */
function fileOf(text: string): string {
  return /\(\d+<([^>]*)>/.exec(text)?.[1] ?? '';
}

/** Everything between quotes: one string, or those of a writev one behind the other. */
function dataOf(text: string): Buffer {
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map(([, quoted = '']) => quoted);
  const bytes = strings.join('').replace(/\\(?:x([0-9a-f]{2})|([0-7]{1,3})|(.))/gs, (_, hex, octal, letter) => {
    if (letter !== undefined) return { n: '\n', r: '\r', t: '\t', v: '\v', f: '\f' }[letter as string] ?? letter;
    return String.fromCharCode(hex ? Number.parseInt(hex, 16) : Number.parseInt(octal, 8));
  });
  return Buffer.from(bytes, 'latin1');
}
