// The gateway as `dm3-gateway start` runs it, with a configuration from the parent and without DNS.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { emailConfigSchema } from '../dist/adapters/email/config.js';
import { matrixConfigSchema } from '../dist/adapters/matrix/config.js';
import { coreSchema } from '../dist/config/settings.js';
import { AccountService } from '../dist/delivery/accounts/account.service.js';
import { AdminService } from '../dist/gateway/admin/admin.service.js';
import { Maintenance } from '../dist/gateway/maintenance.js';
import { createRuntime, startGateway } from '../dist/main.js';
import { serve } from './processes.mjs';

const dns = (name) => Promise.reject(Object.assign(new Error(`no DNS here: ${name}`), { code: 'ENOTFOUND' }));

const LOOK_AGAIN_MS = 50;
let upkeep;
let admin;
const delays = monitorEventLoopDelay({ resolution: 1 });
/**
 * Between `watch` and `stall`, how long the event loop was busy without a pause at most, milliseconds. `purge` is
 * answered when nothing is left to remove.
 */
const answers = {
  watch: () => delays.reset() ?? delays.enable(),
  stall: () => delays.disable() && delays.max / 1e6,
  purge: async () => {
    while (!(await upkeep.run())) await delay(LOOK_AGAIN_MS); // its own clock may have begun a run just now
    return 'done';
  },
  heap: () => process.memoryUsage().heapUsed,
};

async function start({ settings, email, matrix, secrets, profiles }) {
  const networks = {
    email: { config: emailConfigSchema.parse(email), dns },
    ...(matrix && { matrix: { config: matrixConfigSchema.parse(matrix) } }),
  };
  const { app } = await startGateway(await createRuntime(coreSchema.parse(settings), secrets, networks));
  for (const { name, profile } of profiles) await app.get(AccountService).submitProfile(name, profile);
  upkeep = app.get(Maintenance);
  admin = app.get(AdminService);
  return 'ready';
}

/** What became of messages, by ids of the foreign network. */
async function fates(ids) {
  const found = [];
  for (const id of ids) {
    const { state, settledAt } = (await admin.message(id)) ?? { state: 'unknown', settledAt: null };
    found.push({ id, state, settledAt: settledAt?.getTime() });
  }
  return found;
}

serve(start, (question) => (typeof question === 'string' ? answers[question]() : fates(question.traced)));
