import { Command } from 'commander';
import type { EthAddress } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import { ConfigError } from '../config/errors.js';
import { loadOwnerKey } from '../config/owner-key.js';
import type { Settings } from '../config/settings.js';
import { openAliasRegistry } from '../naming/alias/open-directory.js';
import type { AliasRegistryReader } from '../naming/alias/registry-reader.js';
import { aliasTransaction, sendAlias, type AliasEntry } from '../naming/alias/registry-writer.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly config?: string;
}

interface SetOptions extends Options {
  readonly send: boolean;
  readonly keyFile?: string;
}

/** The contract of the configuration, and the settings beside it. */
interface Registry {
  readonly reader: AliasRegistryReader;
  readonly settings: Settings;
}

const CONFIG = ['--config <file>', 'configuration file'] as const;

/** `dm3-gateway alias`: what the registry of top-level aliases says, and its owner's transactions. */
export function aliasCommand(env: Environment): Command {
  return new Command('alias')
    .usage('[options] [command]')
    .description('Read and set top-level aliases: label.<toplevel> stands for label.<alias>.')
    .addCommand(getCommand(env))
    .addCommand(listCommand(env))
    .addCommand(setCommand(env));
}

function getCommand(env: Environment): Command {
  return new Command('get')
    .description('Say what a top-level name stands for, and who says so.')
    .argument('<toplevel>', 'email')
    .option(...CONFIG)
    .action((toplevel: string, { config }: Options) =>
      withRegistry(config, env, async (registry) => {
        console.log(await entryOf(toplevel.replace(/^\./, '').toLowerCase(), registry));
      }),
    );
}

function listCommand(env: Environment): Command {
  return new Command('list')
    .description('Show all aliases of the contract and of the configuration.')
    .option(...CONFIG)
    .action(({ config }: Options) => withRegistry(config, env, list));
}

function setCommand(env: Environment): Command {
  return new Command('set')
    .description("Print the transaction that sets an alias, for the owner's wallet; --send sends it.")
    .argument('<toplevel>', 'email')
    .argument('<alias>', 'email.gateway.eth')
    .option('--send', "sign it with the owner's key (from DM3_GATEWAY_OWNER_KEY or --key-file) and send it", false)
    .option('--key-file <file>', "file with the owner's private key, hex")
    .option(...CONFIG)
    .action((toplevel: string, alias: string, { config, send, keyFile }: SetOptions) =>
      withRegistry(config, env, async (registry) => {
        const entry = { toplevel, alias };
        await (send ? sendEntry(entry, registry, loadOwnerKey(keyFile, env)) : printTransaction(entry, registry));
      }),
    );
}

async function withRegistry(
  config: string | undefined,
  env: Environment,
  work: (registry: Registry) => Promise<void>,
): Promise<void> {
  const { settings } = loadConfig(config ?? configFile(env), env);
  const reader = openAliasRegistry(settings);
  if (!reader) throw new ConfigError({ message: 'There is no alias registry: set names.aliasRegistry.' });
  try {
    await work({ reader, settings });
  } finally {
    reader.close();
  }
}

async function entryOf(toplevel: string, { reader, settings }: Registry): Promise<string> {
  const published = await reader.read(toplevel);
  if (published !== null) return line({ toplevel, alias: published }, 'contract');
  const configured = new Map(Object.entries(settings.names.topLevelAliases)).get(toplevel);
  return configured ? line({ toplevel, alias: configured }, 'configuration') : `${toplevel} has no alias.`;
}

async function list(registry: Registry): Promise<void> {
  const { reader, settings } = registry;
  const published = await reader.readAll();
  const toplevels = new Set([...(published?.keys() ?? []), ...Object.keys(settings.names.topLevelAliases)]);
  for (const toplevel of [...toplevels].sort()) console.log(await entryOf(toplevel, registry));
  if (published === null) console.error('This contract cannot list its aliases: it may have others ("alias get").');
}

function printTransaction({ toplevel, alias }: AliasEntry, { settings }: Registry): void {
  const { to, data } = aliasTransaction(settings.names.aliasRegistry as EthAddress, { toplevel, alias });
  console.log(`setAlias("${toplevel}", "${alias}") on chain ${chainOf(settings).chainId}, from the registry's owner:
to: ${to}
value: 0
data: ${data}`);
}

async function sendEntry(entry: AliasEntry, { reader, settings }: Registry, privateKey: string): Promise<void> {
  const transaction = aliasTransaction(settings.names.aliasRegistry as EthAddress, entry);
  const hash = await sendAlias(transaction, { chain: chainOf(settings), reader, privateKey });
  console.log(`${line(entry, 'contract')}\nTransaction ${hash}; known everywhere when caches have run out.`);
}

function chainOf({ ens, names }: Settings) {
  const { rpcUrls, chainId } = names.aliasRegistryChain ?? ens;
  return { rpcUrls, chainId, timeoutMs: ens.timeoutMs };
}

function line({ toplevel, alias }: AliasEntry, source: 'contract' | 'configuration'): string {
  return `.${toplevel} stands for .${alias} (${source})`;
}
