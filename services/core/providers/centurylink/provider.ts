import type { Provider } from '../provider.ts';
import { decodeCenturylink } from './decode.ts';
import { centurylinkEvents } from './event-names.ts';
import { publishedKeyPem } from './published-key.ts';
import { told } from './told.ts';
import { parseKey, signatureHeader, verifyCenturylink } from './verify.ts';

/** CenturyLink Cloud: ten events, one published key for all customers. */
const centurylink: Provider = {
  name: 'centurylink',
  events: centurylinkEvents,
  // Of the provider's own sample listener: POST /webhook/{account,user,server,alert}.
  unnamedEvents: ['Account', 'User', 'Server', 'Alert'],
  signsForAll: true,
  trust: 'public-key',
  publishedKeys: [{ id: 'centurylink-published', pem: publishedKeyPem }],
  evidence: [signatureHeader],
  secretHeaders: [],
  challenge: 'Tier3-RsaSha1',
  hint: 'Tier3-RsaSha1 must be the signature of the body by a key that is trusted here.',
  accountPattern: /^[A-Za-z0-9]{1,16}$/,
  canonicalAccount: (name) => name.toUpperCase(),
  parseKey,
  verify({ body, headers }, keys) {
    const header = headers[signatureHeader];
    // Node joins the values of a header that was given twice: two signatures are none.
    return verifyCenturylink(body, typeof header === 'string' ? header : header?.join(', '), keys);
  },
  decode: decodeCenturylink,
  told,
};

export default centurylink;
