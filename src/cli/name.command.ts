import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { EnsName } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import type { Settings } from '../config/settings.js';
import { readAddress, showAddress } from '../naming/alias/notations.js';
import type { AliasTranslator, Translation } from '../naming/alias/translator.js';
import { ROOT_NAME } from '../sandbox/names.js';
import { DEFAULT_SANDBOX_DIR } from './paths.js';
import { readSandboxFile } from './sandbox-file.js';
import { SERVED_NETWORKS, translatorBelow, withTranslator } from './names.js';
import { configFile, loadConfig } from './start.command.js';

const LINK_TIMEOUT_MS = 3_000;

interface Options {
  readonly config?: string;
  readonly root?: string;
}

/**
 * `dm3-gateway name`: foreign address <-> ENS name; asks nobody but the alias registry of the configuration, and the
 * running gateway whether the address is linked with a dm3 name.
 */
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
      const settings = options.root ? null : settingsOrNull(options.config, env);
      const translation = await translate(text, settings, options.root);
      console.log(readAddress(text) ? names(translation) : meaning(translation));
      const linked = translation.address && (await linkedName(translation.name, settings));
      if (linked) console.error(`The same person is ${linked}.`);
      if (translation.address && !SERVED_NETWORKS.has(translation.kind)) {
        console.error(`Nobody is reached by it yet: this gateway has no adapter for ${translation.kind}.`);
      }
    });
}

function translate(text: string, settings: Settings | null, root = ROOT_NAME as string): Promise<Translation> {
  const work = (translator: AliasTranslator) => translator.translate(text);
  return settings ? withTranslator(settings, work) : work(translatorBelow(root));
}

/** Null also if no gateway is running there: a translation does not depend on one. */
async function linkedName(name: EnsName, settings: Settings | null): Promise<string | null> {
  try {
    const url = settings?.http.publicUrl ?? readSandboxFile(DEFAULT_SANDBOX_DIR).http.url;
    const signal = AbortSignal.timeout(LINK_TIMEOUT_MS);
    const response = await fetch(`${url}/resolver/links/${encodeURIComponent(name)}`, { signal });
    const { links } = (await response.json()) as { links: readonly { name: string }[] };
    return links[0]?.name ?? null;
  } catch {
    return null;
  }
}

/** A file that was named must be there; the usual places may be empty. */
function settingsOrNull(config: string | undefined, env: Environment): Settings | null {
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
