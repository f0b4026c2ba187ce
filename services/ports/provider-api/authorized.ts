/** An API whose calls bear credentials. */
import { type ApiCall, type ProviderApi, ProviderApiError } from './provider-api.ts';
import type { Transport } from './transport.ts';

/** What calls bear to be taken. */
export interface Credentials {
  /** Headers of a call; asks the provider for a token where none is at hand. @throws ProviderApiError */
  headers(): Promise<Record<string, string>>;
  /** The provider has refused these headers. @returns whether others can be had */
  refused(headers: Record<string, string>): boolean;
  /** Texts that no error may repeat. */
  secrets(): readonly string[];
}

/** A call that is refused is made once more, with new credentials, where there may be any. */
export function createAuthorizedApi(transport: Transport, credentials: Credentials): ProviderApi {
  return {
    async call<Answer>(call: ApiCall<Answer>) {
      const headers = await credentials.headers();
      try {
        return await transport.send(call, headers, credentials.secrets());
      } catch (error) {
        const refused = error instanceof ProviderApiError && error.code === 'CREDENTIALS_REFUSED';
        if (!refused || !credentials.refused(headers)) throw error;
        return await transport.send(call, await credentials.headers(), credentials.secrets());
      }
    },
    close: () => transport.close(),
  };
}
