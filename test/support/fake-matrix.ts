import { randomUUID } from 'node:crypto';
import { MatrixAdapter } from '../../src/adapters/matrix/adapter.js';
import { roomToForeign, toForeign } from '../../src/adapters/matrix/address.js';
import { matrixConfigSchema, type MatrixConfigInput } from '../../src/adapters/matrix/config.js';
import { ghostId } from '../../src/adapters/matrix/ghost-id.js';
import { MemberStore } from '../../src/adapters/matrix/portals/member.store.js';
import { PortalStore, type Portal } from '../../src/adapters/matrix/portals/portal.store.js';
import { newRegistration } from '../../src/adapters/matrix/registration.js';
import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../src/common/ids.js';
import { systemClock, type Clock } from '../../src/common/clock.js';
import { GatewayError } from '../../src/common/errors.js';
import type { AdapterContext, ForeignMessage, GatewayPort, Target } from '../../src/gateway/adapter/adapter.js';
import type { NeutralMessage } from '../../src/gateway/adapter/message.js';
import { silentLog } from '../../src/ops/event-log.js';
import { eventually } from './eventually.js';
import { FakeHomeserver } from './fake-homeserver.js';
import { openTestStorage, type TestStorage } from './storage.js';

export const SERVER = 'hs.test';
export const BOT = `@dm3bot:${SERVER}`;

const TABLES = 'matrix_inbox, matrix_room, matrix_portal, matrix_ghost, matrix_event, rate_window';

/** As the core would say it. */
export const identityOf = (name: string) => `0x${Buffer.from(name).toString('hex').padStart(40, '0')}` as EthAddress;
export const ghostOf = (name: string) => ghostId(name as EnsName, SERVER);

interface Writing {
  readonly from?: string;
  readonly to: ForeignAddress | string;
  readonly text?: string;
  readonly message?: Partial<NeutralMessage>;
  readonly target?: string;
  readonly conversation?: AdapterContext;
}

/** An adapter that is not started. */
export function adapterOn(
  { db, sealer }: TestStorage,
  homeserverUrl: string,
  config: Partial<MatrixConfigInput> = {},
  clock: Clock = systemClock,
): MatrixAdapter {
  const where = { homeserverUrl, serverName: SERVER, registrationFile: 'none' };
  return new MatrixAdapter({
    config: matrixConfigSchema.parse({ ...where, retrySeconds: 0.05, ...config }),
    registration: newRegistration({ serverName: SERVER, url: 'http://localhost' }),
    db,
    sealer,
    clock,
    log: silentLog,
    deadLetterDays: 30,
    leaseSeconds: 10,
    maxWaiting: 10_000,
    delayNoticeSeconds: 3_600,
  });
}

/** The adapter on a database, between a homeserver and a core that do as they are told. */
export class FakeMatrix {
  readonly homeserver: FakeHomeserver;
  readonly received: ForeignMessage[] = [];
  now = 1_790_000_000_000;
  /** Whom a name belongs to; may throw. */
  lookup: (name: string) => Target = (name) => ({ name: name as EnsName, address: identityOf(name), sizeLimit: null });
  /** What becomes of a message; throws for what is refused. */
  takes: (message: ForeignMessage) => void = () => undefined;
  readonly portals: PortalStore;
  readonly members: MemberStore;
  readonly #adapters: MatrixAdapter[] = [];

  private constructor(
    readonly storage: TestStorage,
    homeserver: FakeHomeserver,
  ) {
    this.homeserver = homeserver;
    this.portals = new PortalStore(storage.sealer);
    this.members = new MemberStore(storage.sealer);
  }

  /** @param storage of the suite; it is emptied */
  static async create(storage: TestStorage): Promise<FakeMatrix> {
    await storage.db.query(`TRUNCATE ${TABLES} CASCADE`);
    return new FakeMatrix(storage, await FakeHomeserver.start());
  }

  static storage(name: string): Promise<TestStorage> {
    return openTestStorage(name);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#adapters.map((adapter) => adapter.stop()));
    await this.homeserver.stop();
  }

  async start(config: Partial<MatrixConfigInput> = {}): Promise<MatrixAdapter> {
    const adapter = adapterOn(this.storage, this.homeserver.url, config, { now: () => this.now });
    this.#adapters.push(adapter);
    await adapter.start(this.#port());
    return adapter;
  }

  /** A bridged room, and who of dm3 is in it. */
  async portal(room: string, names: readonly string[]): Promise<Portal> {
    const { db } = this.storage;
    const made = (await this.portals.add(db, { roomId: room, address: roomToForeign(room), shown: room }))!;
    await this.portals.setState(db, made, 'open');
    const portal = { ...made, state: 'open' as const };
    for (const name of names) await this.join(portal, name);
    return portal;
  }

  async join(portal: Portal, name: string): Promise<void> {
    const target = { name: name as EnsName, address: identityOf(name), sizeLimit: null };
    const member = { identity: target.address, name: target.name, ghost: ghostOf(name), target, since: null };
    await this.members.put(this.storage.db, portal, 'joined', member);
  }

  async stateOf(portal: Portal, name: string): Promise<string | null> {
    return (await this.members.find(this.storage.db, portal, identityOf(name)))?.state ?? null;
  }

  async bring(adapter: MatrixAdapter, ...events: object[]): Promise<void> {
    await adapter.take({ events: events.map((event) => ({ event_id: `$${randomUUID()}`, ...event })) });
  }

  /** Until nothing waits in the inbox. */
  async settled(): Promise<void> {
    await eventually('all to be handled', async () => (await this.inbox("state = 'waiting'")).length === 0);
  }

  /** Codes of the rows for which that is true. */
  async inbox(where = 'true'): Promise<(string | null)[]> {
    const rows = await this.storage.db.query<{ code: string | null }>(`SELECT code FROM matrix_inbox WHERE ${where}`);
    return rows.map(({ code }) => code);
  }

  /** What somebody of dm3 writes, sent at once. @returns what is sent, to be sent again */
  async write(adapter: MatrixAdapter, writing: Writing): Promise<() => Promise<void>> {
    const send = await this.render(adapter, writing);
    await send();
    return send;
  }

  async render(adapter: MatrixAdapter, writing: Writing): Promise<() => Promise<void>> {
    const { from = 'bob.eth', to, text = 'hello', message = {}, target, conversation = null } = writing;
    const rendering = await adapter.render({
      id: Buffer.from(randomUUID()).toString('hex').padEnd(64, '0').slice(0, 64),
      from: { name: from as EnsName, address: identityOf(from) },
      to: to.startsWith('@') ? toForeign(to) : (to as ForeignAddress),
      message: { type: 'new', text, attachments: [], sentAt: this.now, ...message },
      conversation,
      target: (target ?? null) as RemoteId | null,
    });
    return () => adapter.send(rendering);
  }

  #port(): GatewayPort {
    return {
      lookup: async (name) => this.lookup(name),
      receive: async (message) => {
        this.takes(message);
        this.received.push(message);
        return { status: 'accepted', id: randomUUID() };
      },
      reportFailure: async () => {},
    };
  }
}

/** As core and homeserver refuse for good, or for now. */
export class Refusal extends GatewayError {
  constructor(code: string, { retryable = false }: { retryable?: boolean } = {}) {
    super({ code, kind: retryable ? 'unavailable' : 'forbidden', message: `Refused with ${code}.`, retryable });
  }
}

export const says = (sender: string, room: string, body: string, more: object = {}) => ({
  type: 'm.room.message',
  sender,
  room_id: room,
  content: { msgtype: 'm.text', body, ...more },
});

export const becomes = (membership: string, who: string, room: string, sender = who) => ({
  type: 'm.room.member',
  sender,
  room_id: room,
  state_key: who,
  content: { membership },
});
