import { Foundation1790000000000 } from './1790000000000-foundation.js';

/** Oldest first. A migration that has been released is never edited. */
export const migrations = [Foundation1790000000000];
