import type { Server as HttpServer } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { DefaultEventsMap, ExtendedError, Server, Socket } from 'socket.io';
import type { Clock } from '../../common/clock.js';
import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { EventLog } from '../../ops/event-log.js';
import type { ProcessedEnvelope } from '../../protocol/envelope/postmark.js';
import type { LoginService, Session } from '../access/login.service.js';
import { isUnexpected, publicText } from '../api/errors.js';
import { requestLimit } from '../api/request-limit.js';
import { SessionRequiredError } from '../errors.js';
import { BASE_PATH } from '../own-service.js';
import type { Permissions } from '../permissions/permissions.js';
import type { Presence } from '../presence/presence.js';
import { WatchList, type PresenceNews } from '../presence/watch-list.js';
import type { SubmissionService } from '../submission/submission.service.js';
import { TooManySocketsError } from './errors.js';
import { parseHandshake } from './handshake.js';
import { Line } from './line.js';
import type { MailboxPush } from './mailbox-push.js';

interface Parts {
  /** There once the application is made, which is after its parts are. */
  readonly http: () => HttpServer;
  readonly names: NameService;
  readonly logins: LoginService;
  readonly submissions: SubmissionService;
  readonly push: MailboxPush;
  readonly permissions: Permissions;
  readonly presence: Presence;
  readonly clock: Clock;
  /** Bytes of an envelope. */
  readonly sizeLimit: number;
  readonly log: EventLog;
}

interface FromClient {
  submitMessage(data: unknown, ack?: unknown): void;
  watchPresence(data: unknown, ack?: unknown): void;
  unwatchPresence(data: unknown, ack?: unknown): void;
}

interface ToClient {
  authorized(): void;
  unauthorized(): void;
  message(envelope: ProcessedEnvelope): void;
  presence(news: PresenceNews): void;
}

/** `session` is null for a token that is not good for the name it came with. */
interface SocketData {
  session: Session | null;
}

type ClientSocket = Socket<FromClient, ToClient, DefaultEventsMap, SocketData>;
type Answer = { readonly response: 'success' } | { readonly error: string };

/** Clients are built for the origin's root; whoever puts us behind a path reaches us below our own. */
const ROOT_PATH = '/socket.io';
const SERVICE_PATH = `${BASE_PATH}${ROOT_PATH}`;
const PATHS = [ROOT_PATH, SERVICE_PATH];
/** How long a connection may take to say whose it is. */
const HANDSHAKE_MS = 10_000;
const SOCKETS_PER_ACCOUNT = 50;
const SUBMISSIONS_WAITING = 200;
/** Timers count in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The live side of the delivery service (dm3 delivery service socket, socket.io 4): pushes what comes for an account
 * to all of its sockets, takes envelopes, and tells who is online as far as accounts permit it. Pushed mail waits on
 * until it is acknowledged over REST.
 */
export class SocketServer {
  /** Connections that have left the HTTP server's care. */
  readonly #upgraded = new Set<TcpSocket>();
  readonly #answering = new Set<Promise<void>>();
  #stopping = false;
  #io: Server<FromClient, ToClient, DefaultEventsMap, SocketData> | undefined;

  constructor(private readonly parts: Parts) {}

  async start(): Promise<void> {
    const http = this.parts.http();
    const { Server } = await import('socket.io'); // heavy: only for a process that serves
    this.#io = new Server(http, {
      path: ROOT_PATH,
      destroyUpgrade: false, // it would wait for each of its paths to be the right one
      serveClient: false,
      cors: { origin: '*' },
      connectTimeout: HANDSHAKE_MS,
      maxHttpBufferSize: requestLimit(this.parts.sizeLimit),
    });
    this.#io.engine.attach(http, { path: SERVICE_PATH, destroyUpgrade: false });
    this.#io.use(async (socket, next) => next(await this.#refusal(socket)));
    this.#io.on('connection', (socket) => this.#welcome(socket));
    http.on('upgrade', ({ url = '' }, socket) => this.#watch(url, socket as TcpSocket));
  }

  /**
   * Answers what was asked and ends every connection, in a way that makes clients connect again, elsewhere. A WebSocket
   * would wait half a minute for a peer that no longer answers.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#answering);
    this.#io?.engine.close();
    for (const socket of this.#upgraded) socket.destroySoon();
  }

  #watch(url: string, socket: TcpSocket): void {
    if (!PATHS.some((path) => url.startsWith(`${path}/`))) return void socket.destroy();
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  /** Why the socket is refused, which its client gets as `connect_error`; undefined if it may connect. */
  async #refusal(socket: ClientSocket): Promise<ExtendedError | undefined> {
    try {
      socket.data.session = await this.#sessionOf(socket);
      return undefined;
    } catch (error) {
      return new Error(this.#textOf(error));
    }
  }

  /** @throws MalformedHandshakeError, InvalidNameError, TooManySocketsError; NamingUnavailableError */
  async #sessionOf({ handshake }: ClientSocket): Promise<Session | null> {
    const { names, logins, push } = this.parts;
    const { ensName, token } = parseHandshake(handshake.auth);
    const session = await logins.session(await names.canonical(ensName), token).catch(nullIfUnauthorised);
    if (session && push.connectedOf(session.address) >= SOCKETS_PER_ACCOUNT) {
      throw new TooManySocketsError({ limit: SOCKETS_PER_ACCOUNT });
    }
    return session;
  }

  #welcome(socket: ClientSocket): void {
    const { session } = socket.data;
    if (!session) return dismiss(socket);
    const leave = this.parts.push.join(session.address, (envelope) => socket.emit('message', envelope));
    const msLeft = Math.min(session.expiresAt - this.parts.clock.now(), LONGEST_TIMER_MS);
    const expiry = setTimeout(() => dismiss(socket), msLeft);
    socket.once('disconnect', () => {
      clearTimeout(expiry);
      leave();
    });
    this.#takeEnvelopes(socket);
    this.#showPresence(socket, session.address);
    socket.emit('authorized');
  }

  /** One after the other, so that what a client writes arrives in the order of its writing. */
  #takeEnvelopes(socket: ClientSocket): void {
    const line = new Line(SUBMISSIONS_WAITING);
    // `{envelop, token}`: the envelope's own signature says whose it is, the token is not needed
    const submit = (data: unknown) => this.parts.submissions.submit((data as { envelop?: unknown } | null)?.envelop);
    socket.on('submitMessage', (data, ack) => this.#answer(ack, () => line.run(() => submit(data))));
  }

  /** Its account is online, for those who may know; and it may ask who else is. */
  #showPresence(socket: ClientSocket, account: EthAddress): void {
    const leave = this.parts.presence.join(account);
    const watched = new WatchList(this.parts, account, (news) => socket.emit('presence', news));
    socket.once('disconnect', () => {
      leave();
      watched.clear();
    });
    socket.on('watchPresence', (data, ack) => this.#answer(ack, () => watched.add(data)));
    socket.on('unwatchPresence', (data, ack) => this.#answer(ack, async () => watched.remove(data)));
  }

  /** What comes while we stop stays unanswered: its client tries again once it is connected again. */
  #answer(ack: unknown, work: () => Promise<unknown>): void {
    if (this.#stopping) return;
    const answering = this.#work(ack, work).finally(() => this.#answering.delete(answering));
    this.#answering.add(answering);
  }

  async #work(ack: unknown, work: () => Promise<unknown>): Promise<void> {
    const answer = await work().then(
      (): Answer => ({ response: 'success' }),
      (error: unknown): Answer => ({ error: this.#textOf(error) }),
    );
    if (typeof ack === 'function') ack(answer);
  }

  #textOf(error: unknown): string {
    if (isUnexpected(error)) this.parts.log.error('socket.failed', { code: errorCode(error) }, error);
    return publicText(error);
  }
}

function nullIfUnauthorised(error: unknown): null {
  if (error instanceof SessionRequiredError || error instanceof NameNotFoundError) return null;
  throw error;
}

/** Its client logs in again. */
function dismiss(socket: ClientSocket): void {
  socket.emit('unauthorized');
  socket.disconnect(true);
}
