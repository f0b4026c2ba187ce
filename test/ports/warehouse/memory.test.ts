import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { describeWarehouse } from './contract.ts';

describeWarehouse('memory warehouse', async () => createMemoryWarehouse());
