// Builds what is stale, then runs the operator's command in this same process.
import { buildIfStale } from './build.mjs';

await buildIfStale();
await import('../dist/cli/main.js');
