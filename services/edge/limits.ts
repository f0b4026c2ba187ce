/** Everything that an edge bounds. Tests lower them; an operator never has to. */
export interface EdgeLimits {
  bodyBytesMax: number;
  /** Kept characters of one header. */
  headerCharactersMax: number;
  /** Bytes of bodies that are still being read, over all requests. */
  readingBytesMax: number;
  /** Bytes handed to the journal and not yet on disk. */
  pendingBytesMax: number;
  batchBytesMax: number;
  /** A commit that takes longer is answered 503. */
  commitDeadlineMs: number;
  connectionsMax: number;
  headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  requestTimeoutMs: number;
  keepAliveTimeoutMs: number;
  /** How long a body that was refused is read on, so that its sender can see the answer. */
  lingerMs: number;
  /** How often deadlines are looked at. */
  sweepIntervalMs: number;
  /** How often ticks that are due are written, and the size of the journal is looked at. */
  tickIntervalMs: number;
  /** How long requests in flight are waited for when the edge stops. */
  drainMs: number;
  controlBytesMax: number;
  /** Remembered idempotency ids of controls. */
  idempotencyIdsMax: number;
}

export const defaultLimits: EdgeLimits = {
  bodyBytesMax: 256 * 1024,
  headerCharactersMax: 1024,
  readingBytesMax: 64 * 1024 * 1024,
  pendingBytesMax: 32 * 1024 * 1024,
  batchBytesMax: 1024 * 1024,
  commitDeadlineMs: 1000,
  connectionsMax: 4096,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 15_000,
  lingerMs: 1000,
  sweepIntervalMs: 50,
  tickIntervalMs: 1000,
  drainMs: 5000,
  controlBytesMax: 1024 * 1024,
  idempotencyIdsMax: 10_000,
};
