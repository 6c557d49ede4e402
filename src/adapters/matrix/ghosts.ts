import { errorCode } from '../../common/errors.js';
import type { EnsName, NetworkId } from '../../common/ids.js';
import type { GatewayPort } from '../../gateway/adapter/adapter.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import type { MatrixApi } from './api.js';
import { ghostId, ghostName, localpart } from './ghost-id.js';
import type { GhostAccount, GhostAccountStore } from './ghost.store.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  /** Null in processes that only send: others look for pictures. */
  readonly port: () => GatewayPort | null;
  readonly store: GhostAccountStore;
  readonly serverName: string;
  readonly now: () => number;
  readonly log: EventLog;
}

/** Of a picture that is shown; a change makes an event in every room of the ghost, a look makes none. */
const LOOK_EVERY_MS = 86_400_000;

/** The accounts of dm3 names on the homeserver. What is made once is never asked for again. */
export class MatrixGhosts {
  readonly #looking = new Map<string, Promise<void>>();

  constructor(private readonly parts: Parts) {}

  /** The id of a name's ghost, whose account is there. @throws HomeserverError */
  async ensure(name: EnsName): Promise<string> {
    const { db, store, serverName, now } = this.parts;
    const userId = ghostId(name, serverName);
    const known = await store.find(db, userId);
    const account = known ?? (await this.#make({ userId, name, displayName: name, avatar: null, checkedAt: 0 }));
    const port = this.parts.port();
    if (port && now() - account.checkedAt > LOOK_EVERY_MS) this.#look(account, port);
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

  /** Once nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#looking.values());
  }

  /** Each step can be repeated; the row says that all are done. */
  async #make(account: GhostAccount): Promise<GhostAccount> {
    const { db, api, store } = this.parts;
    await this.ensureBare(account.userId);
    await api.setDisplayName(account.userId, account.displayName);
    await store.put(db, account);
    return account;
  }

  /** Beside the messages: nobody waits for a picture, and one that fails is looked for again another day. */
  #look(account: GhostAccount, port: GatewayPort): void {
    const { userId } = account;
    if (this.#looking.has(userId)) return;
    const { log } = this.parts;
    const looking = this.#refresh(account, port)
      .catch((error: unknown) => log.warn('matrix.picture-failed', { network: NETWORK, code: errorCode(error) }))
      .finally(() => this.#looking.delete(userId));
    this.#looking.set(userId, looking);
  }

  async #refresh(account: GhostAccount, port: GatewayPort): Promise<void> {
    const { db, api, store, now } = this.parts;
    const { userId, name, avatar: known } = account;
    const looked = { ...account, checkedAt: now() };
    await store.put(db, looked);
    const picture = (await port.pictureOf?.(name, known)) ?? null;
    if (picture === 'unchanged' || (picture === null && known === null)) return;
    const { source, mediaType, bytes } = picture ?? { source: null, mediaType: '', bytes: null };
    const file = bytes && { name: 'avatar', mediaType, sizeBytes: bytes.length, pieces: () => [bytes] };
    const url = file ? await api.upload(userId, file) : '';
    await api.setAvatar(userId, url);
    await store.put(db, { ...looked, avatar: source });
  }
}

const NETWORK = 'matrix' as NetworkId;
