import { ConfigError } from './errors.js';

/** What a process can be started for. The last three run the connection to a network each. */
export const ROLES = ['api', 'worker', 'email-in', 'matrix', 'xmtp'] as const;

/** One process for everything: what a gateway on one machine is. */
const ALL = 'all';

const KNOWN: readonly string[] = [ALL, ...ROLES];

/** Roles that are called otherwise than their network: mail leaves from any worker, only its way in is a place. */
const ROLE_OF: Readonly<Record<string, string>> = { email: 'email-in' };

const roleOf = (network: string) => ROLE_OF[network] ?? network;

/** The names as written, one or several, `worker,email-in` or a list. */
export function splitRoles(names: string | readonly string[]): string[] {
  return [names]
    .flat()
    .flatMap((text) => text.split(','))
    .map((name) => name.trim())
    .filter(Boolean);
}

/** What is wrong with these names, as a sentence; null if nothing is. */
export function roleProblem(names: readonly string[]): string | null {
  const unknown = names.find((name) => !KNOWN.includes(name));
  if (unknown === undefined && names.length > 0) return null;
  const wrong = unknown === undefined ? 'at least one role is needed' : `there is no role "${unknown}"`;
  return `${wrong}; the roles are ${KNOWN.join(', ')}`;
}

/** @throws ConfigError that names the valid ones */
export function parseRoles(names: string | readonly string[]): string[] {
  const roles = splitRoles(names);
  const problem = roleProblem(roles);
  if (problem !== null) throw new ConfigError({ message: `${problem[0]!.toUpperCase()}${problem.slice(1)}.` });
  return roles;
}

/** What this process does. Processes of all roles share one database, and there may be any number of each. */
export class Roles {
  readonly #names: ReadonlySet<string>;

  /** @param names also of networks that only tests know */
  constructor(names: readonly string[] = [ALL]) {
    this.#names = new Set(names);
  }

  has(role: (typeof ROLES)[number]): boolean {
    return this.#has(role);
  }

  /** Whether the connection to this network is this process's business. */
  runs(network: string): boolean {
    return this.#has(roleOf(network));
  }

  /** For the log: `api,worker`. */
  toString(): string {
    return [...this.#names].join(',');
  }

  /**
   * @param networks those that the configuration has a section for
   * @throws ConfigError if a role was asked for by name that there is nothing to run for
   */
  refuseWithout(networks: readonly string[]): void {
    const served = new Set(['api', 'worker', ALL, ...networks.map(roleOf)]);
    const idle = [...this.#names].find((name) => !served.has(name));
    if (idle === undefined) return;
    const network = Object.keys(ROLE_OF).find((name) => ROLE_OF[name] === idle) ?? idle;
    throw new ConfigError({
      message: `The role ${idle} needs the section "${network}", which the configuration does not have.`,
    });
  }

  #has(role: string): boolean {
    return this.#names.has(ALL) || this.#names.has(role);
  }
}
