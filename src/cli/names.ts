import type { SandboxFile } from '../sandbox/sandbox.js';
import { SHIPPED_ALIASES } from '../config/settings.js';
import { ALL_CODECS } from '../naming/alias/notations.js';
import { openAliasRegistry, openDirectory, type AliasSettings } from '../naming/alias/open-directory.js';
import { TopLevelDirectory } from '../naming/alias/top-level-directory.js';
import { AliasTranslator } from '../naming/alias/translator.js';
import { normaliseName } from '../naming/ens-name.js';
import type { EventLog } from '../ops/event-log.js';

const TIMEOUT_MS = 5_000;

/** Networks whose adapter this gateway has; names of others can be translated, but lead nowhere yet. */
export const SERVED_NETWORKS: ReadonlySet<string> = new Set(['email', 'matrix']);

/** Without a configuration: every network has its own top-level alias, and no contract is asked. */
export function translatorBelow(root: string): AliasTranslator {
  const own = ALL_CODECS.map(({ network }) => [network as string, `${network}.${root}`] as const);
  const aliases = new Map([...Object.entries(SHIPPED_ALIASES), ...own]);
  return new AliasTranslator(normaliseName(root), new TopLevelDirectory(aliases, null));
}

/** By a configuration, whose alias registry is asked where it names one. */
export async function withTranslator<T>(
  settings: AliasSettings,
  work: (translator: AliasTranslator) => Promise<T>,
): Promise<T> {
  const reader = openAliasRegistry(settings);
  try {
    const directory = openDirectory(settings, { reader, log: complaints });
    await directory.start();
    return await work(new AliasTranslator(normaliseName(settings.names.root), directory));
  } finally {
    reader?.close();
  }
}

/** The settings of a running sandbox, as far as names are concerned. */
export function namesOfSandbox({ rpcUrl, chainId, rootName, ...sandbox }: SandboxFile): AliasSettings {
  const topLevelAliases = { ...SHIPPED_ALIASES, ...sandbox.topLevelAliases };
  return {
    ens: { rpcUrls: [rpcUrl], chainId, timeoutMs: TIMEOUT_MS },
    names: { root: rootName, topLevelAliases, aliasRegistry: sandbox.aliasRegistry, aliasCacheSeconds: 1 },
  };
}

const complaints: EventLog = {
  debug: () => {},
  info: () => {},
  warn: () => console.error('The alias registry does not answer; the aliases of the configuration are used.'),
  error: () => {},
};
