import type { Provider } from '../provider.ts';
import { decodeStandardWebhooks } from './decode.ts';
import { parseKey, verifyStandardWebhooks } from './verify.ts';

/** Whoever sends as Standard Webhooks says; docs/providers.md goes through this folder as the example of a provider. */
const standardWebhooks: Provider = {
  name: 'standard-webhooks',
  events: [],
  unnamedEvents: [],
  signsForAll: false,
  trust: 'secret',
  publishedKeys: [],
  evidence: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
  secretHeaders: [],
  challenge: 'Standard-Webhooks',
  hint: 'webhook-id, webhook-timestamp (within 5 minutes) and webhook-signature (v1 or v1a) must fit the body.',
  accountPattern: /^[\w.-]{1,64}$/,
  canonicalAccount: (name) => name,
  parseKey,
  verify: verifyStandardWebhooks,
  decode: decodeStandardWebhooks,
};

export default standardWebhooks;
