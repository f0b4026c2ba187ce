import type { Output } from '../core/flow/context.ts';
import { encode } from '../core/records/codec.ts';
import type { Log, NewRecord } from '../ports/log/log.ts';

export interface OutboxOptions {
  outputs: Pick<Log, 'append'>;
  /** For readers of other make. */
  headersOf?: ((output: Output) => Readonly<Record<string, string>>) | undefined;
  /** Of one append, keys and headers included; a record that is larger goes alone. */
  appendBytesMax?: number | undefined;
}

/** What lanes have led to and the outputs have not acknowledged yet, in order. */
export interface Outbox {
  readonly isEmpty: boolean;
  put(tenant: string, outputs: readonly Output[]): void;
  /**
   * Appends what is left. Where it rejects, the rest stays and is appended by the next call: the same outputs again,
   * whose ids and versions are the same.
   */
  send(): Promise<void>;
}

const appendBytesDefault = 4 * 1024 * 1024;

export function createOutbox({ outputs, headersOf, appendBytesMax = appendBytesDefault }: OutboxOptions): Outbox {
  const batches: NewRecord[][] = [];
  let lastBytes = 0;

  function add(record: NewRecord): void {
    const bytes = sizeOf(record);
    const last = batches.at(-1);
    if (last && lastBytes + bytes <= appendBytesMax) {
      last.push(record);
      lastBytes += bytes;
    } else {
      batches.push([record]);
      lastBytes = bytes;
    }
  }

  return {
    get isEmpty() {
      return batches.length === 0;
    },
    put(tenant, made) {
      for (const output of made) {
        const headers = headersOf?.(output);
        add({ key: tenant, frame: encodeOutput(output), ...(headers && { headers }) });
      }
    },
    async send() {
      while (batches[0]) {
        await outputs.append(batches[0]);
        batches.shift();
      }
    },
  };
}

function sizeOf({ key, frame, headers = {} }: NewRecord): number {
  return Object.entries(headers).reduce(
    (sum, [name, value]) => sum + name.length + value.length,
    key.length + frame.length,
  );
}

function encodeOutput({ kind, value }: Output): Buffer {
  return encode(kind, value as never);
}
