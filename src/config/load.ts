import { readFileSync } from 'node:fs';
import { parse, type ScalarTag } from 'yaml';
import { z } from 'zod';
import type { Environment } from './env.js';
import { ConfigError } from './errors.js';

/** Sections and settings as they were written, unchecked. */
export type ConfigTree = Record<string, unknown>;

const PREFIX = 'DM3_GATEWAY_';
/** Read elsewhere: secrets by `secrets.ts` and `owner-key.ts`, the file's place and the launcher's folder by the CLI. */
const RESERVED = new Set(['ROOT_SECRET', 'STORAGE_KEYS', 'OWNER_KEY', 'CONFIG', 'CWD']);

/**
 * The configuration file with the environment laid over it: `DM3_GATEWAY_HTTP__PORT=8090` sets `http.port`; values are
 * read as YAML, so numbers, booleans and lists work, but secrets are taken as they are. `!file /run/secrets/password`
 * stands for the text in that file.
 * @throws ConfigError naming the file or variable and the fix
 */
export function readConfigTree(options: { file?: string; text?: string; env: Environment }): ConfigTree {
  const tree =
    options.file === undefined ? parseText(options.text ?? '', 'the configuration') : parseFile(options.file);
  for (const [variable, value] of Object.entries(options.env)) {
    if (variable.startsWith(PREFIX) && value !== undefined && !RESERVED.has(variable.slice(PREFIX.length))) {
      const path = pathOf(variable);
      // A password may look like a number.
      setPath(tree, path, isSecret(path.at(-1)!) ? value : parseYaml(value, variable));
    }
  }
  return tree;
}

/**
 * Checks the whole tree against the schemas of all sections.
 * @throws ConfigError with one line a problem: key, what is wrong, the value seen, where to set it
 */
export function parseSettings<T extends z.ZodRawShape>(tree: ConfigTree, sections: T): z.output<z.ZodObject<T>> {
  const result = z.strictObject(sections).safeParse(tree);
  if (result.success) return result.data as z.output<z.ZodObject<T>>;
  const lines = result.error.issues.map((issue) => `  ${describe(issue, tree)}`);
  throw new ConfigError({ message: `The configuration is not usable:\n${lines.join('\n')}` });
}

function parseFile(file: string): ConfigTree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const message = `Cannot read the configuration file ${file}; "dm3-gateway init" writes one, --config names another place.`;
    throw new ConfigError({ message, cause });
  }
  return parseText(text, file);
}

function parseText(text: string, where: string): ConfigTree {
  const value = parseYaml(text, where) ?? {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigError({ message: `${where} must hold sections such as "http:" and "database:".` });
  }
  return value as ConfigTree;
}

/** Where Docker, Kubernetes and systemd put passwords. @param fail the parser would take what is thrown for its own */
const fileTag = (fail: (error: unknown) => void): ScalarTag => ({
  tag: '!file',
  resolve: (file) => {
    try {
      return readValue(file);
    } catch (error) {
      fail(error);
      return '';
    }
  },
});

function readValue(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigError({
      message: `The configuration takes a value from the file ${file}, which cannot be read.`,
      cause,
    });
  }
}

function parseYaml(text: string, where: string): unknown {
  const unreadable: unknown[] = [];
  const value = parseOrComplain(
    text,
    where,
    fileTag((error) => unreadable.push(error)),
  );
  if (unreadable.length > 0) throw unreadable[0];
  return value;
}

function parseOrComplain(text: string, where: string, tag: ScalarTag): unknown {
  try {
    return parse(text, { customTags: [tag] });
  } catch (cause) {
    const [complaint] = (cause as Error).message.split(':\n', 1); // what follows quotes the line, which may hold a secret
    throw new ConfigError({ message: `${where} is not valid YAML: ${complaint}.`, cause });
  }
}

/** `DM3_GATEWAY_DATABASE__POOL_SIZE` -> ['database', 'poolSize'] */
function pathOf(variable: string): string[] {
  const camel = (part: string) =>
    part.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return variable.slice(PREFIX.length).split('__').map(camel);
}

function setPath(tree: ConfigTree, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const inner = tree[head];
  const next: ConfigTree =
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? (inner as ConfigTree) : {};
  tree[head] = next;
  setPath(next, rest, value);
}

function describe(issue: z.core.$ZodIssue, tree: ConfigTree): string {
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => [...issue.path, key].join('.'));
    return `${keys.join(', ')}: no such setting; take it out or mend its spelling.`;
  }
  const key = issue.path.join('.') || 'configuration';
  const seen = issue.path.reduce<unknown>((at, step) => (at as ConfigTree | undefined)?.[step as string], tree);
  return `${key}: ${issue.message} (saw ${shown(key, seen)}). Set ${key} in gateway.yaml or ${variableOf(issue.path)}.`;
}

/** Scalars as they are; of sections and lists, which may hold secrets, only what they are. */
function shown(key: string, seen: unknown): string {
  if (seen === undefined) return 'nothing';
  if (isSecret(key) || MAY_HOLD_KEYS.test(key)) return 'a value that is not shown';
  if (Array.isArray(seen)) return `a list of ${seen.length}`;
  return typeof seen === 'object' && seen !== null
    ? `a section with ${Object.keys(seen).join(', ')}`
    : JSON.stringify(seen);
}

/** The URLs of Ethereum nodes, of which many carry an API key, and of the broker, which carries a password. */
const MAY_HOLD_KEYS = /rpcUrl|^broker\.url/i;

const isSecret = (key: string) => /pass|secret|key|token/i.test(key);

/** Lists come from the environment as a whole. */
function variableOf(path: readonly PropertyKey[]): string {
  const names = path.filter((part) => typeof part === 'string');
  const snake = (part: string) => part.replace(/([A-Z])/g, '_$1').toUpperCase();
  return PREFIX + names.map(snake).join('__');
}
