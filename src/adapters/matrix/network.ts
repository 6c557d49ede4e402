import type { NetworkId } from '../../common/ids.js';

export const MATRIX = 'matrix' as NetworkId;
