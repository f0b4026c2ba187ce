/**
 * When a call is tried again, and when none is made: the only file that knows cockatiel.
 *
 * cockatiel 4.0.0, as it is used here:
 * - its retry does not hear of an abort while it waits: its timers keep no process, and whoever aborts does not wait;
 * - its breaker takes the wall clock: a clock that is set back keeps it open for longer, by as much;
 * - its timeout is not used: the try's own signal also ends the reading of an answer.
 */
import {
  BrokenCircuitError,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  decorrelatedJitterGenerator,
  handleWhen,
  retry,
  wrap,
} from 'cockatiel';
import { type ApiCall, type ApiLimits, ProviderApiError, type ProviderApiErrorCode } from './provider-api.ts';

export interface Policy {
  execute<Answer>(
    call: ApiCall<Answer>,
    attempt: (signal: AbortSignal) => Promise<unknown>,
    signal: AbortSignal,
    fail: (code: ProviderApiErrorCode, text: string, more: { retryHelps: boolean; notDone: boolean }) => Error,
  ): Promise<unknown>;
}

type JitterState = Parameters<typeof decorrelatedJitterGenerator>[0];

export function createPolicy(limits: ApiLimits): Policy {
  const breaker = circuitBreaker(handleWhen(isOfTheProvider), {
    halfOpenAfter: limits.openMs,
    breaker: new ConsecutiveBreaker(limits.failuresInRowMax),
  });
  const jitter = {
    initialDelay: limits.retryMsFirst,
    maxDelay: limits.retryMsMax,
    exponent: 2,
    generator: decorrelatedJitterGenerator,
  };
  const backoff = new DelegateBackoff<{ result: unknown }, JitterState>(({ result }, state) => {
    const [delay, next] = decorrelatedJitterGenerator(state, jitter);
    const asked = (result as { error?: ProviderApiError }).error?.retryAfterMs ?? 0;
    return { delay: Math.max(delay, asked), state: next };
  });
  const policyFor = (idempotent: boolean) => {
    const again = (error: unknown) =>
      error instanceof ProviderApiError &&
      error.retryHelps &&
      (idempotent || error.notDone) &&
      (error.retryAfterMs ?? 0) <= limits.retryAfterMsMax;
    const tries = retry(handleWhen(again), { maxAttempts: limits.attemptsMax - 1, backoff });
    return wrap(tries.dangerouslyUnref(), breaker);
  };
  const policies = { idempotent: policyFor(true), once: policyFor(false) };

  return {
    async execute(call, attempt, signal, fail) {
      const policy = (call.idempotent ?? call.method !== 'POST') ? policies.idempotent : policies.once;
      try {
        return await policy.execute((context) => attempt(context.signal), signal);
      } catch (error) {
        if (!(error instanceof BrokenCircuitError)) throw error;
        const text = `not called: its last ${limits.failuresInRowMax} answers were failures, or none`;
        throw fail('CIRCUIT_OPEN', text, { retryHelps: true, notDone: true });
      }
    },
  };
}

/** What the provider refuses is no sign that it is down. */
function isOfTheProvider(error: unknown): boolean {
  return error instanceof ProviderApiError && ['UNREACHABLE', 'TIMED_OUT', 'FAILED'].includes(error.code);
}
