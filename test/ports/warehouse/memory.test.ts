import { createMemoryWarehouse } from '../../../services/ports/warehouse/memory.ts';
import { describeWarehouse } from './contract.ts';

const open = async () => createMemoryWarehouse();
describeWarehouse('memory warehouse', open, open);
