import { type AddressInfo, createServer } from 'node:net';

export interface WantedPort {
  port: number;
  /** The setting that chooses it. */
  setting: string;
}

/** The ports as numbers: where 0 is wanted, one that is free now. `taken` are those that another process has. */
export async function claimPorts(
  host: string,
  wanted: readonly WantedPort[],
): Promise<{ ports: number[]; taken: WantedPort[] }> {
  // All are held until the last one is known, so that no free one is given twice.
  const claims = await Promise.all(wanted.map((want) => claim(host, want)));
  await Promise.all(claims.map(({ release }) => release()));
  return {
    ports: claims.map(({ port }) => port),
    taken: wanted.filter((_, index) => claims[index]?.taken),
  };
}

interface Claim {
  port: number;
  taken: boolean;
  release(): Promise<void>;
}

function claim(host: string, { port, setting }: WantedPort): Promise<Claim> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve({ port, taken: true, release: async () => {} });
      else reject(new Error(`Cannot listen on ${host}:${port} (${setting}): ${error.message}`, { cause: error }));
    });
    server.listen(port, host, () => {
      const release = () => new Promise<void>((released) => server.close(() => released()));
      resolve({ port: (server.address() as AddressInfo).port, taken: false, release });
    });
  });
}
