import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { Environment } from '../config/env.js';
import { ROOT_NAME } from '../sandbox/names.js';
import { addressNamed, addressOf, isAddress, namesBelow, shownAddress, type Names } from './names.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
  readonly root?: string;
}

/** `dm3-gateway name`: foreign address <-> ENS name, without asking anybody. */
export function nameCommand(env: Environment): Command {
  return new Command('name')
    .description('Translate a mail address into its ENS name, or such a name back; says why where it cannot.')
    .argument('<address-or-name>', 'carol@example.org, or carol._at.example.org.email.<root>')
    .option('--root <name>', `root name (default: that of the configuration, else ${ROOT_NAME})`)
    .option('--config <file>', 'configuration file')
    .action((text: string, options: Options) => {
      const names = namesOf(options, env);
      console.log(isAddress(text) ? toName(text, names) : shownAddress(addressNamed(text, names)));
    });
}

function namesOf({ root: given, config }: Options, env: Environment): Names {
  const settings = given ? null : settingsOrNull(config, env);
  const root = given ?? settings?.names.root ?? ROOT_NAME;
  return namesBelow({ root, topLevelAliases: settings?.names.topLevelAliases ?? { email: `email.${root}` } });
}

/** A file that was named must be there; the usual places may be empty. */
function settingsOrNull(config: string | undefined, env: Environment) {
  if (config) return loadConfig(config, env).settings;
  try {
    return loadConfig(configFile(env), env).settings;
  } catch (error) {
    if (error instanceof GatewayError && !env['DM3_GATEWAY_CONFIG']) return null;
    throw error;
  }
}

function toName(text: string, names: Names): string {
  const name = names.aliases.nameOf(addressOf(text, names));
  const short = names.topLevel.shorten(name);
  return short === name ? name : `${name}\n${short}`;
}
