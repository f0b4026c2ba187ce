/** A TCP relay before a broker, which can lose the answers to requests that the broker has carried out. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface KafkaRelay {
  /** host:port, for `bootstrap` and for the broker's `advertised.listeners`. */
  readonly address: string;
  /** Where the broker is. */
  target(address: string): void;
  /** Cuts the connection in place of the next answers to produce requests. */
  cutProduced(count: number): void;
  /** Connections cut so far. */
  cuts(): number;
  close(): Promise<void>;
}

const produceKey = 0;

export async function startRelay(): Promise<KafkaRelay> {
  const sockets = new Set<Socket>();
  let targetPort = 0;
  let wanted = 0;
  let cuts = 0;

  const server = createServer((client) => {
    const broker = connect(targetPort, '127.0.0.1');
    /** Correlation ids of requests whose answer is to be lost. */
    const doomed = new Set<number>();
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', end).on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    onFrames(client, (frame) => {
      if (frame.readInt16BE(4) === produceKey && wanted > 0) {
        wanted--;
        doomed.add(frame.readInt32BE(8));
      }
      broker.write(frame);
    });
    onFrames(broker, (frame) => {
      if (!doomed.has(frame.readInt32BE(4))) return void client.write(frame);
      cuts++;
      end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    target(address) {
      targetPort = Number(address.split(':')[1]);
    },
    cutProduced(count) {
      wanted = count;
    },
    cuts: () => cuts,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Calls back with each whole request or answer: its length as int32, then its bytes. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let received = Buffer.alloc(0);
  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
      const end = 4 + received.readInt32BE(0);
      take(received.subarray(0, end));
      received = received.subarray(end);
    }
  });
}
