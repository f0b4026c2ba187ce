import type { Provider } from '../provider.ts';
import { customerPattern, decodeCitrix } from './decode.ts';
import { parseKey, verifyCitrix } from './verify.ts';

/** Citrix Cloud: one callback for all events, which the body names; authenticated by a header that we chose, or not at all. */
const citrix: Provider = {
  name: 'citrix',
  events: [],
  unnamedEvents: [],
  signsForAll: false,
  trust: 'secret',
  publishedKeys: [],
  evidence: [],
  secretHeaders: ['authorization'],
  challenge: 'Basic realm="hookwatch"',
  hint: 'Authorization must be what the subscription was given as authHeaders.',
  accountPattern: customerPattern,
  // No page says that the case of a customer's id does not matter.
  canonicalAccount: (name) => name,
  parseKey,
  verify: ({ headers: { authorization } }, keys) =>
    verifyCitrix(typeof authorization === 'string' ? authorization : authorization?.join(', '), keys),
  decode: decodeCitrix,
};

export default citrix;
