import { createMemoryWarehouse } from '../../services/ports/warehouse/memory.ts';
import { goldenSuite } from './golden.ts';

goldenSuite('memory', async () => ({ warehouse: createMemoryWarehouse(), close: async () => {} }));
