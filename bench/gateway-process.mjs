// The gateway as `dm3-gateway start` runs it, with a configuration from the parent and without DNS.
import { emailConfigSchema } from '../dist/adapters/email/config.js';
import { coreSchema } from '../dist/config/settings.js';
import { AccountService } from '../dist/delivery/accounts/account.service.js';
import { createRuntime, startGateway } from '../dist/main.js';
import { serve } from './processes.mjs';

const dns = (name) => Promise.reject(Object.assign(new Error(`no DNS here: ${name}`), { code: 'ENOTFOUND' }));

serve(async ({ settings, email, secrets, profiles }) => {
  const networks = { email: { config: emailConfigSchema.parse(email), dns } };
  const { app } = await startGateway(await createRuntime(coreSchema.parse(settings), secrets, networks));
  for (const { name, profile } of profiles) await app.get(AccountService).submitProfile(name, profile);
  return 'ready';
});
