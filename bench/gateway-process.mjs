// The gateway as `dm3-gateway start` runs it, with a configuration from the parent and without DNS.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { emailConfigSchema } from '../dist/adapters/email/config.js';
import { coreSchema } from '../dist/config/settings.js';
import { AccountService } from '../dist/delivery/accounts/account.service.js';
import { Maintenance } from '../dist/gateway/maintenance.js';
import { createRuntime, startGateway } from '../dist/main.js';
import { serve } from './processes.mjs';

const dns = (name) => Promise.reject(Object.assign(new Error(`no DNS here: ${name}`), { code: 'ENOTFOUND' }));

let upkeep;
const delays = monitorEventLoopDelay({ resolution: 1 });
/**
 * Between `watch` and `stall`, how long the event loop was busy without a pause at most, milliseconds. `purge` is
 * answered when nothing is left to remove.
 */
const answers = {
  watch: () => delays.reset() ?? delays.enable(),
  stall: () => delays.disable() && delays.max / 1e6,
  purge: () => upkeep.run().then(() => 'done'),
};

async function start({ settings, email, secrets, profiles }) {
  const networks = { email: { config: emailConfigSchema.parse(email), dns } };
  const { app } = await startGateway(await createRuntime(coreSchema.parse(settings), secrets, networks));
  for (const { name, profile } of profiles) await app.get(AccountService).submitProfile(name, profile);
  upkeep = app.get(Maintenance);
  return 'ready';
}

serve(start, (question) => answers[question]());
