/** Runs the engine as a process of its own, for tests: reads its options from the environment, prints its URL. */
import { startEngine } from '../../../services/ports/warehouse/chdb/start-engine.ts';

const { url } = await startEngine(JSON.parse(process.env.ENGINE_OPTIONS!));
console.log(`ready ${url}`);
// Ends with its parent, however that ends.
process.stdin.on('end', () => process.exit()).resume();
