import type { EnsName } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import type { MatrixApi } from './api.js';
import { ghostId, ghostName, localpart } from './ghost-id.js';
import type { GhostAccount, GhostAccountStore } from './ghost.store.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly store: GhostAccountStore;
  readonly serverName: string;
}

/** The accounts of dm3 names on the homeserver. What is made once is never asked for again. */
export class MatrixGhosts {
  constructor(private readonly parts: Parts) {}

  /** The id of a name's ghost, whose account is there. @throws HomeserverError */
  async ensure(name: EnsName): Promise<string> {
    const { db, store, serverName } = this.parts;
    const userId = ghostId(name, serverName);
    const known = await store.find(db, userId);
    if (!known) await this.#make({ userId, name, displayName: name, avatar: null });
    return userId;
  }

  /** The name that a ghost stands for; null for an id in our namespace that stands for nobody. */
  async nameOf(userId: string): Promise<EnsName | null> {
    const { db, store, serverName } = this.parts;
    const read = ghostName(userId, serverName);
    if (read?.kind === 'name') return read.name;
    return read ? ((await store.find(db, userId))?.name ?? null) : null;
  }

  /** An account that stands for nobody: it is needed to say so. */
  async ensureBare(userId: string): Promise<void> {
    await this.parts.api.register(localpart(userId));
    await this.parts.api.putDevice(userId);
  }

  /** Each step can be repeated; the row says that all are done. */
  async #make(account: GhostAccount): Promise<void> {
    const { db, api, store } = this.parts;
    await this.ensureBare(account.userId);
    await api.setDisplayName(account.userId, account.displayName);
    await store.put(db, account);
  }
}
