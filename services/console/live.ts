/**
 * The page's stream of changes, as server-sent events.
 *
 * `reset` carries the whole present state, `update` what changed since; the id of both is a position of the outputs log,
 * so that a browser that lost its connection goes on where it stood (Last-Event-ID). A message is made when the reader
 * asks for one, from the state at that moment: whoever is slow gets fewer and larger messages, and nothing queues up.
 */
import type { Context } from 'hono';
import type { ConsoleMetrics } from '../telemetry.ts';
import type { Board, Changes } from './board.ts';

export interface LiveOptions {
  board: Board;
  /** At least so long between two messages to a reader. */
  flushIntervalMs: number;
  /** A comment is sent after so long a silence, so that whatever is in between keeps the connection. */
  heartbeatIntervalMs: number;
  readersMax: number;
  metrics?: ConsoleMetrics | undefined;
}

export interface Live {
  handle(context: Context): Response;
  /** Says that the board has changed. */
  notify(): void;
  /** Ends every stream; later requests are refused. */
  close(): void;
}

/** How long a browser waits before it connects again. */
const retryMs = 1_000;

export function createLive({ board, flushIntervalMs, heartbeatIntervalMs, metrics, readersMax }: LiveOptions): Live {
  const readers = new Set<() => void>();
  let closed = false;
  let last: { cursor: number | undefined; position: number; text: string } | undefined;

  function wakeAll(): void {
    for (const wake of readers) wake();
  }

  /** Readers mostly stand at the same position, so the newest message is kept. */
  function write(cursor: number | undefined): string {
    const position = board.position();
    if (last?.cursor === cursor && last?.position === position) return last.text;
    const changes = cursor === undefined ? undefined : board.changesSince(cursor);
    if (cursor !== undefined && !changes) metrics?.resets.inc();
    const text = changes ? writeMessage('update', position, changes) : writeMessage('reset', position, board.state());
    last = { cursor, position, text };
    return text;
  }

  function enter(wake: () => void): void {
    readers.add(wake);
    metrics?.viewers.set(readers.size);
  }

  function leave(wake: () => void): void {
    readers.delete(wake);
    metrics?.viewers.set(readers.size);
  }

  function open(resumeAt: number | undefined): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let cursor = resumeAt;
    let greeted = false;
    let left = false;
    let wake = () => {};

    function hasNews(): boolean {
      return closed || left || cursor === undefined || cursor !== board.position();
    }

    /** Resolves at the next change, or when it is time for a heartbeat. */
    function waitForNews(): Promise<void> {
      return new Promise((resolve) => {
        const timer = setTimeout(done, heartbeatIntervalMs);
        wake = done;
        function done(): void {
          clearTimeout(timer);
          resolve();
        }
      });
    }

    const onChange = () => wake();
    return new ReadableStream(
      {
        async pull(controller) {
          // Counted from the first read on: the answer to a HEAD request is never read.
          enter(onChange);
          if (greeted) await new Promise((resolve) => setTimeout(resolve, flushIntervalMs));
          if (greeted && !hasNews()) await waitForNews();
          if (left) return;
          if (closed) {
            leave(onChange);
            return controller.close();
          }
          let text = hasNews() ? write(cursor) : ': heartbeat\n\n';
          if (!greeted) text = `retry: ${retryMs}\n\n${text}`;
          greeted = true;
          cursor = board.position();
          controller.enqueue(encoder.encode(text));
        },
        cancel() {
          left = true;
          leave(onChange);
          wake();
        },
      },
      { highWaterMark: 0 },
    );
  }

  return {
    handle(context) {
      if (closed || readers.size >= readersMax) {
        return context.json({ error: `${readers.size} pages are open already; close one and try again` }, 503, {
          'Retry-After': '5',
        });
      }
      return new Response(open(parseCursor(context)), {
        headers: {
          'Content-Type': 'text/event-stream; charset=utf-8',
          'Cache-Control': 'no-store',
          'X-Accel-Buffering': 'no',
        },
      });
    },
    notify: wakeAll,
    close() {
      closed = true;
      wakeAll();
    },
  };
}

/** A browser sends the header when it reconnects by itself; the page asks by `after` when it had to start anew. */
function parseCursor(context: Context): number | undefined {
  const text = context.req.header('Last-Event-ID') ?? context.req.query('after') ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function writeMessage(event: 'reset' | 'update', position: number, changes: Changes): string {
  const id = position < 0 ? '' : `id: ${position}\n`;
  return `event: ${event}\n${id}data: ${JSON.stringify(changes)}\n\n`;
}
