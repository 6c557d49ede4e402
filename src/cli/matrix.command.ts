import fs from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { formatRegistration, newRegistration } from '../adapters/matrix/registration.js';
import type { Environment } from '../config/env.js';
import { ConfigError } from '../config/errors.js';
import { inboxCommand, retryCommand } from './matrix-inbox.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
  readonly url?: string;
  readonly force: boolean;
}

/** `dm3-gateway matrix`: what the operator of a homeserver needs. */
export function matrixCommand(env: Environment): Command {
  const registration = new Command('registration')
    .description('Write the registration file that homeserver and gateway share (matrix.registrationFile).')
    .option('--config <file>', 'configuration file')
    .option('--url <url>', 'where the homeserver reaches this gateway (default: http.host and http.port)')
    .option('--force', 'replace a file that is there: both tokens change', false)
    .action((options: Options) => writeRegistration(options, env));
  return new Command('matrix')
    .description('Connect a Matrix homeserver, and look after what it brought.')
    .addCommand(registration)
    .addCommand(inboxCommand(env))
    .addCommand(retryCommand(env));
}

function writeRegistration({ config, url, force }: Options, env: Environment): void {
  const { settings, matrix } = loadConfig(config ?? configFile(env), env);
  if (!matrix)
    throw new ConfigError({ message: 'There is no section "matrix" in the configuration (docs/matrix.md).' });
  const { registrationFile: file, serverName } = matrix;
  const registration = newRegistration({
    serverName,
    url: url ?? `http://${settings.http.host}:${settings.http.port}`,
  });
  write(file, formatRegistration(registration), force);
  console.log(`Written: ${file}, for ${serverName} reaching this gateway at ${registration.url}.

Let the homeserver read it, and restart the homeserver. For Synapse, in homeserver.yaml:

app_service_config_files:
  - ${path.resolve(file)}

Then start the gateway, and see what "dm3-gateway doctor" says.`);
}

/** It holds tokens: nobody else reads it. @throws ConfigError */
function write(file: string, text: string, force: boolean): void {
  try {
    fs.writeFileSync(file, text, { mode: 0o600, flag: force ? 'w' : 'wx' });
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === 'EEXIST';
    const message = isThere
      ? `${file} is there already; --force replaces it, and the homeserver has to read the new one.`
      : `${file} cannot be written: ${(cause as Error).message}.`;
    throw new ConfigError({ message, cause });
  }
}
