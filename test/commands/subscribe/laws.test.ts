/** The laws of a plan for CenturyLink Cloud, over whatever it may have. A failing seed is printed by fast-check. */
import fc from 'fast-check';
import { test } from 'vitest';
import {
  type CenturylinkWanted,
  type EventPlan,
  planCenturylink,
  stepsOf,
} from '../../../services/commands/subscribe/centurylink-plan.ts';
import { readTarget } from '../../../services/commands/subscribe/targets.ts';
import { createKnownTokens } from '../../../services/commands/subscribe/tokens.ts';
import { hashToken } from '../../../services/config.ts';
import type { WebhookOfEvent } from '../../../services/ports/provider-api/centurylink.ts';
import { endpoint, publicUrl, tokenOf, url } from './fixture.ts';

const events = ['Server.Created', 'Server.Deleted', 'User.Updated'];
const nowMs = 1_700_000_000_000;

/** Three endpoints at most, some of another account, each with its own token and perhaps an older one. */
const known = fc.array(
  fc.record({
    event: fc.constantFrom(...events),
    account: fc.constantFrom('ALTD', 'ALTD', 'SUB'),
    recursive: fc.boolean(),
    older: fc.constantFrom('none', 'ending', 'lasting', 'ended'),
    given: fc.boolean(),
  }),
  { maxLength: 4 },
);
/** What is not ours, whoever asks: elsewhere with a token of nobody, or of nobody any more. */
const ended = 'https://former.example.com/in/token-of-ended-0123456789';
const others = [
  'https://other.example.com/a',
  'https://other.example.com/in/b',
  'nonsense',
  `${publicUrl}/else`,
  ended,
];
const sample = `${publicUrl}/webhook/server?token=x`;
const targets = fc.array(
  fc.oneof(
    fc.constantFrom(...others, sample, `${publicUrl}/in/of-nobody`),
    fc.integer({ min: 0, max: 3 }).map((number) => url(`e${number}`)),
    fc.integer({ min: 0, max: 3 }).map((number) => url(`old${number}`)),
    fc.integer({ min: 0, max: 3 }).map((number) => url(`e${number}`, 'https://former.example.com')),
  ),
  { maxLength: 6 },
);
const webhooks = fc.tuple(
  ...events.map((name) =>
    fc
      .option(fc.record({ recursive: fc.boolean(), targetUris: targets }), { nil: undefined })
      .map((configuration): WebhookOfEvent => ({ name, configuration })),
  ),
);
const story = fc.record({ known, webhooks, replace: fc.boolean(), setRecursive: fc.boolean() });

type Story = typeof story extends fc.Arbitrary<infer Value> ? Value : never;

function wantedOf({ known: drawn, replace, setRecursive }: Story): CenturylinkWanted {
  const endsAtMs = { ending: nowMs + 1, ended: nowMs - 1 };
  const all = drawn.map(({ older, event, account, recursive }, number) => {
    const sha256 = hashToken(tokenOf(`old${number}`));
    const other = older === 'lasting' || older === 'none' ? { sha256 } : { sha256, endsAtMs: endsAtMs[older] };
    const gone = { sha256: hashToken('token-of-ended-0123456789'), endsAtMs: nowMs };
    const otherTokens = older === 'none' ? [] : [other, ...(number === 0 ? [gone] : [])];
    return { tenant: 'northwind', endpoint: endpoint(`e${number}`, { event, account, recursive, otherTokens }) };
  });
  const tokens = createKnownTokens(all, nowMs);
  for (const [number, { given }] of drawn.entries()) if (given) tokens.add(tokenOf(`e${number}`));
  return { account: 'ALTD', publicUrl, known: all, tokens, replace, setRecursive, nowMs };
}

/** The provider, after each step of the plans without problems. */
function* follow(before: readonly WebhookOfEvent[], plans: readonly EventPlan[]): Generator<WebhookOfEvent[]> {
  let now = [...before];
  for (const plan of plans.filter(({ done, problems }) => !done && problems.length === 0)) {
    for (const step of stepsOf(plan)) {
      now = now.map((webhook) => {
        if (webhook.name !== plan.event) return webhook;
        const { recursive, targetUris } = webhook.configuration ?? { recursive: false, targetUris: [] };
        if (step.do === 'set') return { ...webhook, configuration: step.configuration };
        const next = step.do === 'add' ? [...targetUris, step.uri] : targetUris.filter((uri) => uri !== step.uri);
        return { ...webhook, configuration: { recursive, targetUris: next } };
      });
      yield now;
    }
  }
}

const configurationOf = (all: readonly WebhookOfEvent[], event: string) =>
  all.find(({ name }) => name === event)?.configuration;

function check(law: (drawn: Story, wanted: CenturylinkWanted, plans: EventPlan[]) => boolean): void {
  const property = fc.property(story, (drawn) => {
    const wanted = wantedOf(drawn);
    return law(drawn, wanted, planCenturylink(drawn.webhooks, wanted));
  });
  fc.assert(property, { numRuns: 500 });
}

test('what was planned and done leaves nothing to do; what cannot be done stays as it is', () => {
  check((drawn, wanted, plans) => {
    const after = [...follow(drawn.webhooks, plans)].at(-1) ?? drawn.webhooks;
    return planCenturylink(after, wanted).every((plan, index) => {
      const blocked = plans[index]!.problems.length > 0;
      const same = configurationOf(after, plan.event) === configurationOf(drawn.webhooks, plan.event);
      return blocked ? same && plan.problems.length > 0 : plan.done;
    });
  });
});

test('targets of others stay, in their order, unless they are to be replaced', () => {
  const theirs = ({ targetUris }: { targetUris: string[] } = { targetUris: [] }) =>
    targetUris.filter((uri) => others.includes(uri) || uri === sample).join();
  check((drawn, _wanted, plans) =>
    [...follow(drawn.webhooks, plans)].every((now) =>
      events.every(
        (event) =>
          drawn.replace || theirs(configurationOf(now, event)) === theirs(configurationOf(drawn.webhooks, event)),
      ),
    ),
  );
});

test('`recursive` of others is changed only where somebody says so', () => {
  check((drawn, _wanted, plans) =>
    [...follow(drawn.webhooks, plans)].every((now) =>
      events.every((event) => {
        const before = configurationOf(drawn.webhooks, event);
        const shared = before?.targetUris.some((uri) => others.includes(uri));
        if (!before || !shared || drawn.setRecursive || drawn.replace) return true;
        return configurationOf(now, event)?.recursive === before.recursive;
      }),
    ),
  );
});

test('an endpoint that is called is called at every moment, at a URL that stays valid or is about to be replaced', () => {
  const calls = (all: readonly WebhookOfEvent[], wanted: CenturylinkWanted) =>
    events.flatMap((event) =>
      (configurationOf(all, event)?.targetUris ?? []).flatMap((uri) => {
        const target = readTarget(uri, publicUrl, wanted.known, nowMs);
        if (target.kind !== 'ours' || !target.owner) return [];
        const { endpoint: one } = target.owner;
        return one.event === event && one.account === 'ALTD' ? [one.name] : [];
      }),
    );
  check((drawn, wanted, plans) => {
    const before = calls(drawn.webhooks, wanted);
    return [...follow(drawn.webhooks, plans)].every((now) => {
      const still = new Set(calls(now, wanted));
      return before.every((name) => still.has(name));
    });
  });
});

test('no description and no reason holds a token', () => {
  check((_drawn, _wanted, plans) =>
    plans.every(
      ({ problems, targets: planned }) => !/token-of/.test(JSON.stringify([problems, planned.map(({ why }) => why)])),
    ),
  );
});
