import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { EnsName, ForeignAddress } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import { AliasNames } from '../naming/alias/alias-names.js';
import { emailCodec } from '../naming/alias/email.js';
import { TopLevelAliases } from '../naming/alias/top-level.js';
import { normaliseName } from '../naming/ens-name.js';
import { ROOT_NAME } from '../sandbox/names.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
  readonly root?: string;
}

interface Names {
  readonly aliases: AliasNames;
  readonly topLevel: TopLevelAliases;
}

/** The name cannot be translated back. */
class NoAddressError extends GatewayError {
  constructor({ name, reason }: { name: EnsName; reason: string }) {
    super({ code: 'NAME_WITHOUT_ADDRESS', kind: 'not-found', message: `${name} ${reason}` });
  }
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
      console.log(text.includes('@') ? toName(text, names) : toAddress(text, names));
    });
}

function namesOf({ root, config }: Options, env: Environment): Names {
  const settings = root ? null : settingsOrNull(config, env);
  const rootName = normaliseName(root ?? settings?.names.root ?? ROOT_NAME);
  const table = Object.entries(settings?.names.topLevelAliases ?? { email: `email.${rootName}` });
  return { aliases: new AliasNames({ rootName, codecs: [emailCodec] }), topLevel: new TopLevelAliases(new Map(table)) };
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

function toName(text: string, { aliases, topLevel }: Names): string {
  const address = aliases.canonical((text.startsWith('mailto:') ? text : `mailto:${text}`) as ForeignAddress);
  const name = aliases.nameOf(address);
  const short = topLevel.shorten(name);
  return short === name ? name : `${name}\n${short}`;
}

function toAddress(text: string, { aliases, topLevel }: Names): string {
  const name: EnsName = topLevel.expand(normaliseName(text), (expanded) => aliases.accepts(expanded));
  const alias = aliases.parse(name);
  if (!alias)
    throw new NoAddressError({ name, reason: 'is an ordinary ENS name: it stands for nobody on another network.' });
  if (alias.kind === 'hashed') {
    const reason = 'is a shortened name: only the gateway that made it knows the address.';
    throw new NoAddressError({ name, reason });
  }
  return alias.address.replace(/^mailto:/, '');
}
