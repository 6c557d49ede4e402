import type { EthAddress } from '../../common/ids.js';
import type { Permissions } from '../permissions/permissions.js';
import { NobodyToWatchError, TooManyWatchedError } from './errors.js';
import type { Presence } from './presence.js';

interface Parts {
  readonly permissions: Permissions;
  readonly presence: Presence;
}

/** As clients hear of it: the name as they wrote it. */
export interface PresenceNews {
  readonly ensName: string;
  readonly online: boolean;
}

interface Entry {
  /** Not there while it is found out whether the account may be watched. */
  stop?: () => void;
}

const MAX_WATCHED = 1_000;

/** Whom one socket watches, by the names its client uses. */
export class WatchList {
  readonly #watched = new Map<string, Entry>();

  constructor(
    private readonly parts: Parts,
    private readonly watcher: EthAddress,
    private readonly tell: (news: PresenceNews) => void,
  ) {}

  /**
   * Once it has told whether the account is online, it tells whenever that changes.
   * @param data `{ensName}`
   * @throws NobodyToWatchError, TooManyWatchedError, InvalidNameError, AccountUnknownError, NotPermittedError;
   *   NamingUnavailableError
   */
  async add(data: unknown): Promise<void> {
    const ensName = nameIn(data);
    if (this.#watched.has(ensName)) return;
    if (this.#watched.size === MAX_WATCHED) throw new TooManyWatchedError({ limit: MAX_WATCHED });
    const entry: Entry = {};
    this.#watched.set(ensName, entry);
    const isWanted = () => this.#watched.get(ensName) === entry; // it may be let go of meanwhile
    try {
      const account = await this.parts.permissions.counterpart('presence', this.watcher, ensName);
      if (!isWanted()) return;
      entry.stop = this.parts.presence.watch(this.watcher, account, (online) => this.tell({ ensName, online }));
    } catch (error) {
      if (isWanted()) this.#watched.delete(ensName);
      throw error;
    }
  }

  /** @param data `{ensName}` @throws NobodyToWatchError */
  remove(data: unknown): void {
    const ensName = nameIn(data);
    this.#watched.get(ensName)?.stop?.();
    this.#watched.delete(ensName);
  }

  clear(): void {
    for (const { stop } of this.#watched.values()) stop?.();
    this.#watched.clear();
  }
}

function nameIn(data: unknown): string {
  const { ensName } = (data ?? {}) as { ensName?: unknown };
  if (typeof ensName !== 'string' || ensName.length > 1_000) throw new NobodyToWatchError();
  return ensName;
}
