import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { Environment } from '../config/env.js';
import { readAddress, showAddress } from '../naming/alias/notations.js';
import type { AliasTranslator, Translation } from '../naming/alias/translator.js';
import { ROOT_NAME } from '../sandbox/names.js';
import { SERVED_NETWORKS, translatorBelow, withTranslator } from './names.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
  readonly root?: string;
}

/** `dm3-gateway name`: foreign address <-> ENS name; asks nobody but the alias registry of the configuration. */
export function nameCommand(env: Environment): Command {
  return new Command('name')
    .description('Translate a mail, Matrix or XMTP address into its ENS name, or back; says why where it cannot.')
    .argument(
      '<address-or-name>',
      'carol@example.org, @carol:hs.org, #room:hs.org, 0x..., or carol._at.example.org.email.<root>',
    )
    .option('--root <name>', `root name (default: that of the configuration, else ${ROOT_NAME})`)
    .option('--config <file>', 'configuration file')
    .action(async (text: string, options: Options) => {
      const translation = await translate(text, options, env);
      console.log(readAddress(text) ? names(translation) : meaning(translation));
      if (translation.address && !SERVED_NETWORKS.has(translation.kind)) {
        console.error(`Nobody is reached by it yet: this gateway has no adapter for ${translation.kind}.`);
      }
    });
}

async function translate(text: string, { root, config }: Options, env: Environment): Promise<Translation> {
  const work = (translator: AliasTranslator) => translator.translate(text);
  const settings = root ? null : settingsOrNull(config, env);
  return settings ? withTranslator(settings, work) : work(translatorBelow(root ?? ROOT_NAME));
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

function names({ name, topLevelName }: Translation): string {
  return topLevelName ? `${name}\n${topLevelName}` : name;
}

/** Whom a name stands for: somebody on another network, or a dm3 user by a name written out. */
function meaning({ address, name }: Translation): string {
  return address ? showAddress(address) : name;
}
