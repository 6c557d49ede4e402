import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { emailConfigSchema, type EmailConfig } from '../adapters/email/config.js';
import { systemDns } from '../adapters/email/dns.js';
import { matrixConfigSchema, type MatrixConfig } from '../adapters/matrix/config.js';
import type { Environment } from '../config/env.js';
import { parseSettings, readConfigTree, type ConfigTree } from '../config/load.js';
import { parseRoles, ROLES } from '../config/roles.js';
import { loadSecrets } from '../config/secrets.js';
import { coreSettings, type Settings } from '../config/settings.js';
import type { RunningGateway } from '../main.js';
import { releaseMemory } from './release-memory.js';
import { endWhenOverdue, untilStopped } from './until-stopped.js';

const PLACES = ['gateway.yaml', '/etc/dm3-gateway/gateway.yaml'];

const ROLE_HELP = `what this process does, repeated or separated by commas: all, ${ROLES.join(', ')} (default: the setting "roles", else all)`;

/** `dm3-gateway start`: the real thing, by its configuration file. */
export function startCommand(env: Environment): Command {
  return new Command('start')
    .description('Run the gateway by its configuration file and a PostgreSQL of yours.')
    .option('--config <file>', `configuration file (default: DM3_GATEWAY_CONFIG, else ${PLACES.join(' or ')})`)
    .option('--role <role>', ROLE_HELP, (role: string, before: string[] = []) => [...before, role])
    .action(async ({ config, role }: { config?: string; role?: string[] }) => {
      const roles = role && parseRoles(role);
      const { settings: configured, email, matrix } = loadConfig(config ?? configFile(env), env);
      const settings = roles ? { ...configured, roles } : configured;
      const networks = {
        ...(email && { email: { config: email, dns: systemDns() } }),
        ...(matrix && { matrix: { config: matrix } }),
      };
      const stopped = untilStopped();
      const { createRuntime, startGateway } = await import('../main.js'); // late: most commands need none of it
      const runtime = await createRuntime(settings, loadSecrets(settings.secrets, env), networks);
      let gateway: RunningGateway | undefined;
      endWhenOverdue(stopped, settings.shutdown.limitSeconds, () => {
        const component = gateway?.waitingFor().join(' ') ?? 'start';
        runtime.log.error('gateway.stop-overdue', { code: 'STOP_OVERDUE', component });
      });
      gateway = await startGateway(runtime);
      releaseMemory();
      await stopped;
      await gateway.stop();
      process.exit(0); // whatever a library left open ends here
    });
}

export function configFile(env: Environment): string {
  return env['DM3_GATEWAY_CONFIG'] ?? PLACES.find((file) => existsSync(file)) ?? PLACES[0]!;
}

/** @param prepare mends the tree before it is checked @throws ConfigError */
export function loadConfig(
  file: string,
  env: Environment,
  prepare: (tree: ConfigTree) => ConfigTree = (tree) => tree,
): { settings: Settings; email?: EmailConfig; matrix?: MatrixConfig } {
  const sections = { ...coreSettings, email: emailConfigSchema.optional(), matrix: matrixConfigSchema.optional() };
  const { email, matrix, ...settings } = parseSettings(prepare(readConfigTree({ file, env })), sections);
  return { settings: settings as Settings, email, matrix };
}
