/**
 * Random lives of endpoints against a model: who is listened to follows from the file, hookwatch.yaml and the clock alone,
 * whatever was done in whatever order, and an edge that was there all along finds the same as one that starts now.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addEndpoint,
  ChangeError,
  disableEndpoint,
  enableEndpoint,
  rotateToken,
} from '../../../services/commands/endpoints/changes.ts';
import { hashToken } from '../../../services/config.ts';
import { createEdgeClock } from '../../../services/edge/clock.ts';
import { createEndpointSet } from '../../../services/edge/endpoint-set.ts';
import {
  type EndpointsContent,
  mergeEndpoints,
  noEndpoints,
  parseEndpoints,
  renderEndpoints,
} from '../../../services/endpoints-file.ts';
import { createRegistry, edgeMetrics } from '../../../services/telemetry.ts';
import { createTestTime, endpoint, tenant } from '../../edge/fixture.ts';

const startMs = Date.UTC(2026, 0, 1);
/** `a` is of hookwatch.yaml. */
const names = ['a', 'b', 'c'] as const;
const definition = { provider: 'centurylink', event: 'Server.Created', account: 'ACME', recursive: false };

type Step =
  | { do: 'add' | 'disable' | 'enable'; name: string }
  | { do: 'rotate'; name: string; graceMs: number }
  | { do: 'pass'; ms: number }
  /** Somebody gives `a` another token in hookwatch.yaml. */
  | { do: 'edit' };

const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'disable' as const, 'enable' as const), name }),
  fc.record({ do: fc.constant('rotate' as const), name, graceMs: fc.integer({ min: 0, max: 4000 }) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  fc.constant({ do: 'edit' as const }),
);

interface Modelled {
  /** Epoch milliseconds at which each token ends. */
  ends: Map<string, number>;
  disabled: boolean;
}

/** What should be, told without a file. */
function createModel() {
  const endpoints = new Map<string, Modelled>([['a', { ends: new Map([['yaml-0', Infinity]]), disabled: false }]]);
  let ofYaml = 'yaml-0';
  return {
    ofYaml: () => ofYaml,
    /** False where it should be refused. */
    take(asked: Step, token: string, nowMs: number): boolean {
      if (asked.do === 'pass') return true;
      if (asked.do === 'edit') {
        const { ends } = endpoints.get('a')!;
        // The one before is known to hookwatch.yaml alone, unless it was rotated.
        if (ends.get(ofYaml) === Infinity) ends.delete(ofYaml);
        ofYaml = token;
        ends.set(token, Infinity);
        return true;
      }
      const known = endpoints.get(asked.name);
      if (asked.do === 'add') {
        if (known) return false;
        endpoints.set(asked.name, { ends: new Map([[token, Infinity]]), disabled: false });
        return true;
      }
      if (!known || known.disabled !== (asked.do === 'enable')) return false;
      if (asked.do === 'rotate') {
        for (const [held, endMs] of known.ends) known.ends.set(held, Math.min(endMs, nowMs + asked.graceMs));
        known.ends.set(token, Infinity);
      } else known.disabled = asked.do === 'disable';
      return true;
    },
    /** The endpoint that a token leads to. */
    find(token: string, nowMs: number): string | undefined {
      const found = [...endpoints].find(([, { ends }]) => ends.has(token));
      return found && !found[1].disabled && nowMs < found[1].ends.get(token)! ? found[0] : undefined;
    },
  };
}

function change(
  content: EndpointsContent,
  configured: ReturnType<typeof tenant>,
  asked: Step,
  token: string,
  nowMs: number,
) {
  const sha256 = hashToken(token);
  if (asked.do === 'add') return addEndpoint(content, configured, { name: asked.name, definition, sha256, nowMs });
  if (asked.do === 'rotate') return rotateToken(content, configured, { ...asked, sha256, nowMs });
  if (asked.do === 'disable') return disableEndpoint(content, configured, { name: asked.name, nowMs });
  if (asked.do === 'enable') return enableEndpoint(content, configured, asked.name);
  return content;
}

test('a token leads where it should, at every moment of every life', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const model = createModel();
      const time = createTestTime(startMs);
      const clock = createEdgeClock(time, 0, () => {});
      const configured = () => tenant({ endpoints: [endpoint({ name: 'a', tokenSha256: hashToken(model.ofYaml()) })] });
      const open = (tenants: ReturnType<typeof tenant>[]) =>
        createEndpointSet({
          tenants,
          keys: [],
          rejectedPerMinuteMax: 1,
          clock,
          metrics: edgeMetrics(createRegistry('edge')),
        });
      const tokens = ['yaml-0'];
      let { content } = noEndpoints;
      const running = open([configured()]);
      for (const [index, asked] of steps.entries()) {
        if (asked.do === 'pass') time.pass(asked.ms);
        const token = `${asked.do === 'edit' ? 'yaml' : 'token'}-${index + 1}`;
        const before = configured();
        const nowMs = time.now();
        const wanted = model.take(asked, token, nowMs);
        try {
          content = parseEndpoints(renderEndpoints(change(content, before, asked, token, nowMs)), 'here');
          expect(wanted).toBe(true);
          tokens.push(token);
        } catch (error) {
          if (!(error instanceof ChangeError)) throw error;
          expect(wanted).toBe(false);
        }
        const { tenants } = mergeEndpoints([configured()], { content, secretTexts: new Map() });
        running.replace({ tenants, keys: [] });
        const started = open(tenants);
        for (const one of tokens) {
          const expected = model.find(one, time.now());
          expect([one, running.find(one)?.name, started.find(one)?.name]).toEqual([one, expected, expected]);
        }
      }
    }),
    { numRuns: 200 },
  );
});
