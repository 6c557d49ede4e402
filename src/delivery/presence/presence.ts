import { randomUUID } from 'node:crypto';
import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { ChannelListener } from '../../outbox/channel-listener.js';
import type { Database } from '../../storage/database.js';
import { EXPIRY_SECONDS, PresenceStore } from './presence.store.js';

interface Parts {
  readonly db: Database;
  readonly log: EventLog;
}

/** Somebody at this process who wants to know whether an account is online. */
interface Watch {
  readonly watcher: EthAddress;
  readonly watched: EthAddress;
  readonly tell: (online: boolean) => void;
  /** Null before the first look. */
  told: boolean | null;
}

/** A heartbeat or two may fail. */
const BEAT_EVERY_MS = (EXPIRY_SECONDS * 1_000) / 3;

/**
 * Who is online, at whichever process of this service. A process says which accounts have clients there while it
 * lives; after a SIGKILL its word expires, and the next heartbeat of any other process tells those who watch.
 */
export class Presence {
  readonly #process = randomUUID();
  readonly #store: PresenceStore;
  readonly #listener: ChannelListener;
  /** How many clients accounts have here. */
  readonly #here = new Map<EthAddress, number>();
  /** By both of its accounts. */
  readonly #watches = new Map<EthAddress, Set<Watch>>();
  /** What the database is to be told, and who is to be told of a change. */
  readonly #moved = new Set<EthAddress>();
  readonly #doubted = new Set<Watch>();
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(private readonly parts: Parts) {
    this.#store = new PresenceStore(parts.db);
    const onSignal = (payload: string | null): void =>
      payload === null ? this.#doubtAll() : this.#doubt(PresenceStore.readSignal(payload));
    this.#listener = new ChannelListener(parts.db, this.#store.channel, onSignal, parts.log);
  }

  start(): void {
    this.#listener.start();
    this.#timer = setInterval(() => void this.beat(), BEAT_EVERY_MS).unref();
  }

  /** Whoever had clients here is offline from now on, as far as this process is concerned. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#listener.stop();
    await this.#working;
    await this.#try(() => this.#store.removeAll(this.#process));
  }

  /** A client of the account is here. @returns a function that ends it */
  join(account: EthAddress): () => void {
    const clients = this.#here.get(account) ?? 0;
    this.#here.set(account, clients + 1);
    if (clients === 0) this.#move(account);
    return () => this.#leave(account);
  }

  /** Tells now whether the account is online, and then whenever that changes. @returns a function that ends it */
  watch(watcher: EthAddress, watched: EthAddress, tell: (online: boolean) => void): () => void {
    const watch: Watch = { watcher, watched, tell, told: null };
    for (const account of [watcher, watched]) this.#watches.set(account, this.#watchesOf(account).add(watch));
    this.#doubted.add(watch);
    this.#work();
    return () => this.#forget(watch);
  }

  /** The account permits something else now. */
  async permissionsChanged(account: EthAddress): Promise<void> {
    await this.#try(() => this.#store.signal(account));
  }

  /** Says that this process lives, clears up after others, and looks at everything that a signal may have missed. */
  async beat(): Promise<void> {
    await this.#try(() => this.#store.purge());
    for (const account of this.#here.keys()) this.#moved.add(account);
    this.#doubtAll();
    await this.#working;
  }

  #leave(account: EthAddress): void {
    const clients = this.#here.get(account)! - 1;
    if (clients > 0) return void this.#here.set(account, clients);
    this.#here.delete(account);
    this.#move(account);
  }

  #move(account: EthAddress): void {
    this.#moved.add(account);
    this.#work();
  }

  #watchesOf(account: EthAddress): Set<Watch> {
    return this.#watches.get(account) ?? new Set();
  }

  #forget(watch: Watch): void {
    this.#doubted.delete(watch);
    for (const account of [watch.watcher, watch.watched]) {
      const watches = this.#watchesOf(account);
      watches.delete(watch);
      if (watches.size === 0) this.#watches.delete(account);
    }
  }

  #doubtAll(): void {
    for (const account of this.#watches.keys()) this.#doubtWatchesOf(account);
    this.#work();
  }

  /** Who came, went, or permits something else: in the last case our word about its clients is to be given again. */
  #doubt(account: EthAddress): void {
    if (this.#here.has(account)) this.#moved.add(account);
    this.#doubtWatchesOf(account);
    this.#work();
  }

  #doubtWatchesOf(account: EthAddress): void {
    for (const watch of this.#watchesOf(account)) this.#doubted.add(watch);
  }

  /** One thing after the other, so that neither the database nor a client is told of the past last. */
  #work(): void {
    if (!this.#stopped && this.#hasWork()) this.#working ??= this.#settle();
  }

  async #settle(): Promise<void> {
    while (!this.#stopped && this.#hasWork()) {
      await this.#try(() => this.#publish(drained(this.#moved)));
      await this.#try(() => this.#look(drained(this.#doubted)));
    }
    this.#working = undefined;
  }

  #hasWork(): boolean {
    return this.#moved.size + this.#doubted.size > 0;
  }

  async #publish(moved: readonly EthAddress[]): Promise<void> {
    const here = moved.filter((account) => this.#here.has(account));
    const gone = moved.filter((account) => !this.#here.has(account));
    if (here.length > 0) await this.#store.renew(this.#process, here);
    if (gone.length > 0) await this.#store.remove(this.#process, gone);
  }

  async #look(watches: readonly Watch[]): Promise<void> {
    if (watches.length === 0) return;
    const accounts = new Set(watches.flatMap(({ watcher, watched }) => [watcher, watched]));
    const visible = await this.#store.visible([...accounts]);
    for (const watch of watches) {
      const online = visible.has(watch.watcher) && visible.get(watch.watched) === true;
      if (online === watch.told || !this.#watchesOf(watch.watched).has(watch)) continue;
      watch.told = online;
      watch.tell(online);
    }
  }

  /** What fails is made up for by the next heartbeat, or expires. */
  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.parts.log.warn('presence.failed', { code: errorCode(error) });
    }
  }
}

function drained<T>(set: Set<T>): T[] {
  const all = [...set];
  set.clear();
  return all;
}
