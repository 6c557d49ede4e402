// `dm3-gateway start` with the fake network beside those of the configuration: <config file> <far side> <port>
import { loadConfig } from '../../../src/cli/start.command.js';
import { untilStopped } from '../../../src/cli/until-stopped.js';
import { systemDns } from '../../../src/adapters/email/dns.js';
import { loadSecrets } from '../../../src/config/secrets.js';
import { createRuntime, startGateway } from '../../../src/main.js';
import { DistantNetwork } from './distant-network.js';

const [file, farSide, port] = process.argv.slice(2) as [string, string, string];
const { settings: configured, email } = loadConfig(file, process.env);
/** Also the role of the fake network, which only tests know. */
const roles = process.env['FAULT_ROLES']?.split(',');
const settings = roles ? { ...configured, roles } : configured;
const fake = new DistantNetwork(farSide, Number(port));
const networks = {
  ...(email ? { email: { config: email, dns: systemDns() } } : {}),
  others: [{ adapter: fake, codec: fake.codec }],
};
const stopped = untilStopped();
const gateway = await startGateway(await createRuntime(settings, loadSecrets(settings.secrets, process.env), networks));
await stopped;
await gateway.stop();
