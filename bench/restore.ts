import { join } from 'node:path';
import { startKafka } from '../test/kafka/broker.ts';
import { startChild } from './child.ts';
import { type Bench, figureOf } from './figure.ts';
import { remedyFor } from './kafka.ts';
import type { Report } from './restore-lane.ts';

const servers = 1_000_000;
const msMax = 300_000;
/** More than Node takes by itself on a small machine. */
const heapMbMax = 8_192;

/** A reseller's whole estate in one lane, as a worker takes it over. */
export const restore: Bench = {
  name: 'restore',
  about: 'over Kafka: seconds to restore a lane with a million servers from its checkpoint',
  async run(say) {
    const remedy = remedyFor('kafka');
    if (remedy) {
      say(`left out: ${remedy}`);
      return [];
    }
    const broker = await startKafka();
    try {
      const work = async (what: string): Promise<Report> => {
        const file = join(import.meta.dirname, 'restore-lane.ts');
        await using child = startChild([
          `--max-old-space-size=${heapMbMax}`,
          ...[file, what, broker.bootstrap[0]!, String(servers)],
        ]);
        return JSON.parse(await child.printed(/\{.*\}/, msMax)) as Report;
      };
      const saved = await work('save');
      say(
        `${servers.toLocaleString('en')} servers saved in ${saved.seconds.toFixed(1)} s, ${Math.round(saved.megabytes)} MB`,
      );
      const restored = await work('restore');
      return [
        figureOf({ name: 'a million servers restored', unit: 's' }, [restored.seconds]),
        figureOf({ name: 'memory of the process then', unit: 'MB' }, [restored.residentMegabytes]),
        figureOf({ name: 'a million servers saved', unit: 's' }, [saved.seconds]),
        figureOf({ name: 'size of the checkpoint', unit: 'MB' }, [saved.megabytes]),
      ];
    } finally {
      await broker.dispose();
    }
  },
};
