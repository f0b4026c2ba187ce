import type { Output } from '../core/flow/context.ts';
import { type Allocate, encode } from '../core/records/codec.ts';
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

/** Of which frames are cut; so many are kept. */
const slabBytes = 1024 * 1024;
const slabsMax = 16;

/**
 * Memory for frames that are let go together. Used again: for every 64 MB of buffers V8 looks through the whole heap, and
 * a worker's is as large as its lanes' state.
 */
function createFrameMemory() {
  let slabs: Buffer[] = [];
  let current = 0;
  let used = 0;
  return {
    allocate(bytes: number): Buffer {
      if (bytes > slabBytes) return Buffer.allocUnsafe(bytes);
      if (used + bytes > slabBytes) {
        current++;
        used = 0;
      }
      slabs[current] ??= Buffer.allocUnsafeSlow(slabBytes);
      used += bytes;
      return slabs[current]!.subarray(used - bytes, used);
    },
    letGo() {
      slabs = slabs.slice(0, slabsMax);
      current = 0;
      used = 0;
    },
  };
}

export function createOutbox({ outputs, headersOf, appendBytesMax = appendBytesDefault }: OutboxOptions): Outbox {
  const batches: NewRecord[][] = [];
  const memory = createFrameMemory();
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
        add({ key: tenant, frame: encodeOutput(output, memory.allocate), ...(headers && { headers }) });
      }
    },
    async send() {
      while (batches[0]) {
        await outputs.append(batches[0]);
        batches.shift();
      }
      memory.letGo();
    },
  };
}

function sizeOf({ key, frame, headers }: NewRecord): number {
  let bytes = key.length + frame.length;
  for (const name in headers) bytes += name.length + headers[name]!.length;
  return bytes;
}

function encodeOutput({ kind, value }: Output, allocate: Allocate): Buffer {
  return encode(kind, value as never, allocate);
}
