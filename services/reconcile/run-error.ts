/**
 * LANE_UNREACHABLE, LANE_BEHIND, EDGE_UNAVAILABLE, PROVIDER_UNAVAILABLE: it goes on where it stands when it is tried again.
 * REFUSED: the edge does not take what it is given; CREDENTIALS: the provider does not take ours. People must look.
 */
export type RunErrorCode =
  | 'LANE_UNREACHABLE'
  | 'LANE_BEHIND'
  | 'EDGE_UNAVAILABLE'
  | 'PROVIDER_UNAVAILABLE'
  | 'CREDENTIALS'
  | 'REFUSED';

/** A comparison cannot go on now. What it has come to is kept. */
export class RunError extends Error {
  readonly code: RunErrorCode;
  /** Trying again later may do. */
  readonly retryHelps: boolean;

  constructor(code: RunErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryHelps = code !== 'REFUSED' && code !== 'CREDENTIALS';
  }
}
