/**
 * The load client, a process of its own: `load.ts <file of requests>`, a JSON list of whole HTTP requests. Told an
 * order over IPC, it keeps every connection busy, one request at a time, for as long as asked, and reports.
 *
 * Raw sockets and bytes made beforehand: Node's HTTP client would take more CPU than the server under test.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';

export interface LoadOrder {
  url: string;
  connections: number;
  seconds: number;
  /** Ends earlier after so many. */
  requestsMax?: number;
}

export interface LoadReport {
  /** Answered 2xx within the time. */
  accepted: number;
  refused: number;
  seconds: number;
  /** Share of a core that the client took. */
  cpu: number;
}

const requests = (JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as string[]).map((text) => Buffer.from(text));
let nextRequest = 0;

process.on('message', async (order: LoadOrder) => process.send!(await load(order)));
process.on('SIGTERM', () => process.exit());
process.send!('ready');

async function load({ url, connections, seconds, requestsMax = Infinity }: LoadOrder): Promise<LoadReport> {
  const { hostname, port } = new URL(url);
  const report: LoadReport = { accepted: 0, refused: 0, seconds: 0, cpu: 0 };
  const sockets = Array.from({ length: connections }, () =>
    connect({ host: hostname, port: Number(port), noDelay: true }),
  );
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  const endMs = startedMs + seconds * 1_000;
  let left = requestsMax;
  const hasTime = () => performance.now() < endMs && left-- > 0;
  await Promise.all(sockets.map((socket) => keepBusy(socket, hasTime, report)));
  const { user, system } = process.cpuUsage(startedCpu);
  report.seconds = (performance.now() - startedMs) / 1_000;
  report.cpu = (user + system) / 1e6 / report.seconds;
  return report;
}

/** Asked for leave before each request; resolves once the answer that was awaited at the end has come. */
function keepBusy(socket: Socket, mayGoOn: () => boolean, report: LoadReport): Promise<void> {
  return new Promise((resolve, reject) => {
    let pending: Buffer | undefined;
    const goOn = () => {
      if (mayGoOn()) {
        socket.write(requests[nextRequest++ % requests.length]!);
      } else {
        socket.removeAllListeners('close');
        socket.destroy();
        resolve();
      }
    };
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('The server closed a connection under load')));
    socket.on('data', (chunk: Buffer) => {
      const answer = pending ? Buffer.concat([pending, chunk]) : chunk;
      const status = statusOf(answer);
      pending = status === undefined ? answer : undefined;
      if (status === undefined) return;
      if (status >= 200 && status < 300) report.accepted++;
      else report.refused++;
      goOn();
    });
    goOn();
  });
}

/** The status of an answer that is there to its end. */
function statusOf(answer: Buffer): number | undefined {
  const headBytes = answer.indexOf('\r\n\r\n') + 4;
  if (headBytes < 4) return undefined;
  const head = answer.toString('latin1', 0, headBytes);
  const bodyBytes = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
  return answer.length >= headBytes + bodyBytes ? Number(head.slice(9, 12)) : undefined;
}
