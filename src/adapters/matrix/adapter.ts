import type { Clock } from '../../common/clock.js';
import type { ForeignAddress, RemoteId } from '../../common/ids.js';
import type {
  Adapter,
  AdapterHealth,
  Capabilities,
  GatewayPort,
  IdGiver,
  NoticeSender,
  OutgoingMessage,
  OutgoingNotice,
  Rendering,
} from '../../gateway/adapter/adapter.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { AccessList } from './access.js';
import { formatAddress, isMatrix } from './address.js';
import { MatrixApi } from './api.js';
import type { MatrixConfig } from './config.js';
import { Doorkeeper } from './doorkeeper.js';
import { AdapterStoppedError, AppserviceRefusedError, type HomeserverError } from './errors.js';
import type { MatrixEvent } from './event.js';
import { EventDelays } from './event-delays.js';
import { EventStore } from './event.store.js';
import { isGhostId } from './ghost-id.js';
import { GhostAccountStore } from './ghost.store.js';
import { MatrixGhosts } from './ghosts.js';
import { Homeserver } from './homeserver.js';
import { MatrixInbox } from './inbox.js';
import { InboxStore } from './inbox.store.js';
import { MatrixIntake } from './intake.js';
import { MATRIX } from './network.js';
import { MatrixBot } from './bot.js';
import { MemberCommands } from './portals/member-commands.js';
import { MemberStore } from './portals/member.store.js';
import { PortalStore } from './portals/portal.store.js';
import { PortalParts } from './portals/portal-parts.js';
import { Concern } from './concern.js';
import { ChatCommands } from './chat-commands.js';
import { MatrixLimits } from './limits.js';
import { MatrixLinking } from './linking.js';
import { MediaBudget } from './media-budget.js';
import { MediaLimit } from './media.js';
import { Membership } from './membership.js';
import { Introduction } from './introduction.js';
import type { Registration } from './registration.js';
import { decodeRendering } from './rendering.js';
import { RoomStore } from './room.store.js';
import { MatrixRooms } from './rooms.js';
import { MatrixSender } from './sender.js';
import { toMatrix, toNotice } from './to-matrix.js';
import { readTransaction } from './transaction.js';
import { voiceFor } from './voices.js';
import { MatrixHousekeeping } from './housekeeping.js';

const MAX_ATTACHMENT_BYTES = 100_000_000;
const MAX_TEXT_BYTES = 1_000_000;

export interface MatrixAdapterOptions {
  readonly config: MatrixConfig;
  readonly registration: Registration;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly log: EventLog;
  /** How long an event stays with a process that fell silent. */
  readonly leaseSeconds: number;
  /** How long what failed for good is kept. */
  readonly deadLetterDays: number;
  /** Events that may wait to be handled. */
  readonly maxWaiting: number;
  /** Who wrote an event that waits hears of it after so long; never if 0. */
  readonly delayNoticeSeconds: number;
}

/** What it takes to speak to the homeserver: in any process that works off the queue. */
interface Line {
  readonly homeserver: Homeserver;
  readonly api: MatrixApi;
  readonly bot: MatrixBot;
  readonly rooms: RoomStore;
  readonly chats: MatrixRooms;
  readonly events: EventStore;
  readonly ghosts: MatrixGhosts;
  readonly portals: PortalParts;
  readonly access: AccessList;
  readonly limits: MatrixLimits;
  readonly sender: MatrixSender;
}

/** What lives between start and stop: in the processes that the homeserver brings events to. */
interface Running {
  readonly inbox: MatrixInbox;
  readonly concern: Concern;
  readonly ghosts: MatrixGhosts;
  readonly port: GatewayPort;
  readonly introduction: Introduction;
  readonly housekeeping: MatrixHousekeeping;
}

/** An application service: the homeserver brings us events, and our ghosts speak through its client-server API. */
export class MatrixAdapter implements Adapter, NoticeSender, IdGiver {
  readonly network = MATRIX;
  readonly followsDelays = true;
  #running: Running | null = null;
  #line: Line | null = null;

  constructor(private readonly options: MatrixAdapterOptions) {}

  get registration(): Registration {
    return this.options.registration;
  }

  owns(address: ForeignAddress): boolean {
    return isMatrix(address);
  }

  formatAddress(address: ForeignAddress): string {
    return formatAddress(address);
  }

  capabilities(): Capabilities {
    const receipts = this.options.config.readReceipts ? 'full' : 'dropped';
    return {
      types: {
        new: 'full',
        reply: 'full',
        edit: 'full',
        reaction: 'full',
        delete: 'full',
        'read-received': 'dropped',
        'read-opened': receipts,
      },
      attachments: 'full',
      maxAttachmentBytes: MAX_ATTACHMENT_BYTES,
      maxTextBytes: MAX_TEXT_BYTES,
    };
  }

  /** All go to one homeserver: a person whom it asks us to wait with holds up nobody else. */
  destinationOf(address: ForeignAddress): string {
    return formatAddress(address);
  }

  async start(port: GatewayPort): Promise<void> {
    const running = this.#assemble(port);
    this.#running = running;
    running.inbox.start();
    running.introduction.start();
    running.housekeeping.start();
  }

  async stop(): Promise<void> {
    const [running, line] = [this.#running, this.#line];
    this.#running = null;
    this.#line = null;
    line?.homeserver.close();
    if (!running) return;
    running.introduction.stop();
    await running.housekeeping.stop();
    await running.inbox.stop();
    await running.ghosts.settled();
  }

  async health(): Promise<AdapterHealth> {
    if (!this.#running) return { status: 'down', detail: 'The Matrix adapter is not running.' };
    return this.#running.introduction.health();
  }

  async render(outgoing: OutgoingMessage): Promise<Rendering> {
    return toMatrix(outgoing, this.options.config.serverName);
  }

  async renderNotice(notice: OutgoingNotice): Promise<Rendering | null> {
    return toNotice(notice);
  }

  async send(rendering: Rendering): Promise<void> {
    this.#line ??= this.#open();
    const rendered = decodeRendering(rendering.body);
    if (this.#line.access.lets(rendered)) await this.#line.sender.send(rendered);
  }

  remoteIdOf(id: string): Promise<RemoteId> {
    const { db, sealer } = this.options;
    return new EventStore(sealer).remoteIdOf(db, id);
  }

  /**
   * A transaction of the homeserver; after this it may forget the events.
   * @throws AppserviceRefusedError for what is no transaction; OverloadedError, InboxFullError, StorageUnavailableError
   *   (retry)
   */
  async take(body: unknown): Promise<void> {
    if (!this.#running) throw new AdapterStoppedError();
    const { events, echoes, unreadable } = readTransaction(body, (userId) => this.#isOurs(userId));
    if (events.length + echoes.length > 0) this.#running.port.checkPressure?.();
    const said = await this.#line!.portals.echoesInPortals(echoes);
    const concern = await this.#running.concern.of(events);
    const added = await this.#running.inbox.accept([...concern, ...said]);
    const { log } = this.options;
    if (unreadable > 0) log.warn('matrix.events-unreadable', { network: MATRIX, count: unreadable });
    log.debug('matrix.transaction', { network: MATRIX, count: added });
  }

  /** The homeserver asks whether somebody in our namespace exists; asking makes the account. */
  async introduce(userId: string): Promise<void> {
    if (!this.#running) throw new AdapterStoppedError();
    const { ghosts, port } = this.#running;
    const name = await ghosts.nameOf(userId);
    if (name === null) throw new AppserviceRefusedError({ code: 'NOT_HERE', reason: `${userId} stands for no name.` });
    await port.lookup(name);
    await ghosts.ensure(name);
  }

  #isOurs(userId: string): boolean {
    return isGhostId(userId, this.options.config.serverName) || userId === this.#botId;
  }

  get #botId(): string {
    const { config, registration } = this.options;
    return `@${registration.sender_localpart}:${config.serverName}`;
  }

  /** Where this process does not handle events, another one finds them. */
  async #bring(events: readonly MatrixEvent[]): Promise<unknown> {
    const { db, sealer } = this.options;
    if (this.#running) return this.#running.inbox.accept(events);
    return db.transaction((tx) => new InboxStore(sealer).add(tx, events));
  }

  #open(): Line {
    const { config, registration, db, sealer, clock, log } = this.options;
    const { serverName, homeserverUrl: url } = config;
    const timeoutMs = config.timeoutSeconds * 1_000;
    const onOutcome = (error: HomeserverError | null) => this.#running?.introduction.noticed(error);
    const homeserver = new Homeserver({ url, token: registration.as_token, timeoutMs, onOutcome });
    const api = new MatrixApi(homeserver);
    const [rooms, events] = [new RoomStore(sealer), new EventStore(sealer)];
    const now = () => clock.now();
    const port = () => this.#running?.port ?? null;
    const accounts = new GhostAccountStore(sealer);
    const ghosts = new MatrixGhosts({ db, api, port, store: accounts, serverName, now, log });
    const limits = new MatrixLimits({ db, sealer, clock, rates: config.limits });
    const newChat = limits.newChat.bind(limits);
    const chats = new MatrixRooms({ db, api, store: rooms, serverName, newChat });
    const limit = new MediaLimit({ api, now });
    const bot = new MatrixBot({ db, api, store: accounts, userId: this.#botId });
    const portals = new PortalParts({ db, api, bot, ghosts, sealer, events, chats: rooms, config });
    const bring = (some: readonly MatrixEvent[]) => this.#bring(some);
    const commands = new MemberCommands({ portals: portals.portals, limits, bring });
    const sender = new MatrixSender({
      db,
      api,
      ghosts,
      rooms: chats,
      portals: portals.portals,
      commands,
      events,
      limit,
    });
    const access = new AccessList(config);
    return { homeserver, api, bot, rooms, chats, events, ghosts, portals, access, limits, sender };
  }

  #assemble(port: GatewayPort): Running {
    this.#line ??= this.#open();
    const { api, bot, rooms, chats, events, ghosts, portals, access, limits } = this.#line;
    const { config, registration, db, sealer, clock, log, leaseSeconds, deadLetterDays, maxWaiting } = this.options;
    const { serverName, retrySeconds } = config;
    const isOurs = (userId: string) => this.#isOurs(userId);
    const membership = new Membership({ db, api, port, ghosts, rooms, chats, serverName, botId: this.#botId, isOurs });
    const now = () => clock.now();
    const linking = new MatrixLinking({ desk: port.links });
    const budget = new MediaBudget(config.mediaMemoryBytes);
    const inPortals = portals.intake({
      port,
      isOurs,
      now,
      linking,
      budget,
      limits,
      access,
      bring: (some) => this.#bring(some),
    });
    const intake = new MatrixIntake({
      db,
      api,
      port,
      config,
      rooms,
      chats,
      events,
      budget,
      membership,
      portals: inPortals,
      commands: new ChatCommands({ api, botId: this.#botId, answer: (...said) => inPortals.answer(...said) }),
      isOurs,
      now,
    });
    const voices = { db, rooms, portals, botId: this.#botId };
    const { bridgeNotices } = config;
    const guard = { access, limits, membership, isOurs, bridgeNotices, now };
    const handler = new Doorkeeper({ handler: intake, ...guard, voiceFor: (event) => voiceFor(voices, event) });
    const store = new InboxStore(sealer);
    const noticeSeconds = this.options.delayNoticeSeconds;
    const stores = { events, rooms, portals: new PortalStore(sealer), members: new MemberStore(sealer) };
    const delays = new EventDelays({ db, api, bot, ...stores, noticeSeconds, now });
    return {
      port,
      ghosts,
      inbox: new MatrixInbox({ db, store, handler, delays, log, retrySeconds, leaseSeconds, maxWaiting }),
      concern: new Concern({ db, inbox: store, rooms, portals, isOurs }),
      introduction: new Introduction({ api, registrationId: registration.id, log }),
      housekeeping: new MatrixHousekeeping({ db, inbox: store, events, rooms, log, deadLetterDays }),
    };
  }
}
