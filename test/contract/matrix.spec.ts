import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { MatrixAdapter } from '../../src/adapters/matrix/adapter.js';
import { matrixConfigSchema } from '../../src/adapters/matrix/config.js';
import { newRegistration } from '../../src/adapters/matrix/registration.js';
import { matrixCodec } from '../../src/naming/alias/matrix.js';
import { silentLog } from '../../src/ops/event-log.js';
import { eventually } from '../support/eventually.js';
import { sendJson, startHttpServer, type TestServer } from '../support/http-server.js';
import { openTestStorage } from '../support/storage.js';
import { describeAdapter, type AdapterWorld, type Letter, type Mood } from './adapter-contract.js';

const SERVER = 'hs.test';
const ALICE = '@alice:hs.test';
const BOB = '@dm3_bob.eth:hs.test';
const ROOM = '!chat';
const NOW = Date.parse('2026-11-20T12:00:00Z');

/** As much of a homeserver as one chat needs; it remembers transaction ids as Synapse does. */
class Homeserver {
  readonly arrived: Buffer[] = [];
  readonly notices: { body: string; about: string }[] = [];
  mood: Mood = 'take';
  stalled = 0;
  readonly #changes = new EventEmitter();
  readonly #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
    server.handler = (request, response) => void this.#handle(request, response).catch(() => response.destroy());
  }

  static async start(): Promise<Homeserver> {
    return new Homeserver(await startHttpServer());
  }

  get url(): string {
    return this.#server.url;
  }

  setMood(mood: Mood): void {
    this.mood = mood;
    this.#changes.emit('change');
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const path = new URL(request.url!, this.url).pathname;
    if (path.includes('/send/') || path.includes('/redact/')) return this.#send(path, body, response);
    if (path.endsWith('/createRoom')) return sendJson(response, { room_id: ROOM });
    if (path.endsWith('/joined_members')) return sendJson(response, { joined: { [ALICE]: {}, [BOB]: {} } });
    if (path.includes('/state/')) return sendJson(response, { errcode: 'M_NOT_FOUND', error: 'none' }, 404);
    if (path.endsWith('/media/config')) return sendJson(response, { 'm.upload.size': 1_000_000 });
    if (path.endsWith('/upload')) return sendJson(response, { content_uri: `mxc://${SERVER}/${hash(body)}` });
    return sendJson(response, {});
  }

  async #send(path: string, body: Buffer, response: ServerResponse): Promise<void> {
    this.stalled += 1;
    while (this.mood === 'stall') await once(this.#changes, 'change');
    this.stalled -= 1;
    if (this.mood === 'lose') return void response.destroy();
    if (this.mood === 'busy') return sendJson(response, { errcode: 'M_UNKNOWN', error: 'Come back later' }, 503);
    if (this.mood === 'refuse') return sendJson(response, { errcode: 'M_FORBIDDEN', error: 'You are not in it' }, 403);
    this.arrived.push(body);
    const content = JSON.parse(body.toString()) as { msgtype?: string; body: string; 'm.relates_to'?: Relation };
    const about = content['m.relates_to']?.['m.in_reply_to']?.event_id ?? '';
    if (content.msgtype === 'm.notice') this.notices.push({ body: content.body, about });
    sendJson(response, { event_id: `$${hash(path)}` });
  }
}

interface Relation {
  readonly 'm.in_reply_to'?: { readonly event_id: string };
}

describeAdapter('matrix', {
  codec: matrixCodec,
  alice: matrixCodec.canonical(ALICE),
  elsewhere: matrixCodec.canonical('@dora:example.org'),
  async open(): Promise<AdapterWorld> {
    const [homeserver, storage] = [await Homeserver.start(), await openTestStorage('matrix_contract')];
    const { db, sealer } = storage;
    const config = matrixConfigSchema.parse({
      homeserverUrl: homeserver.url,
      serverName: SERVER,
      registrationFile: 'none',
      bridgeNotices: true,
      timeoutSeconds: 10,
      retrySeconds: 0.05,
    });
    const registration = newRegistration({ serverName: SERVER, url: 'http://localhost' });
    const clock = { now: () => NOW };
    const adapter = new MatrixAdapter({
      config,
      registration,
      db,
      sealer,
      clock,
      log: silentLog,
      maxWaiting: 10_000,
      delayNoticeSeconds: 3_600,
      leaseSeconds: 10,
      deadLetterDays: 30,
    });

    const bring = async (event: object, id: string): Promise<void> => {
      await db.query("DELETE FROM matrix_inbox WHERE state <> 'waiting'"); // long ago, and purged since
      await adapter.take({ events: [{ event_id: id, room_id: ROOM, sender: ALICE, origin_server_ts: NOW, ...event }] });
      await eventually('it to be handled', async () => (await stateOf(id)) !== 'untouched');
    };
    /** Handled, or put off for what it failed with. */
    const stateOf = async (id: string): Promise<string> => {
      const sql = 'SELECT state, attempts, code FROM matrix_inbox WHERE event_key = $1';
      const key = sealer.keyedHash('matrix inbox', id);
      const [row] = await db.query<{ state: string; attempts: number; code: string | null }>(sql, [key]);
      if (row?.state !== 'waiting') return row?.code ?? 'done';
      return row.attempts === 0 ? 'untouched' : row.code!;
    };
    const write = async ({ text, id, automatic }: Letter): Promise<void> => {
      const invite = { type: 'm.room.member', state_key: BOB, content: { membership: 'invite', is_direct: true } };
      await bring(invite, '$invitation');
      const refused = homeserver.notices.find(({ body }) => body.includes('cannot be reached'));
      if (refused) throw new Error(refused.body);
      const msgtype = automatic ? 'm.notice' : 'm.text';
      const eventId = `$${hash(`${id} ${text}`)}`;
      await bring({ type: 'm.room.message', content: { msgtype, body: text } }, eventId);
      const state = await stateOf(eventId);
      if (state !== 'done') throw new Error(state);
    };
    return {
      adapter,
      write,
      setMood: (mood) => homeserver.setMood(mood),
      stalled: () => homeserver.stalled,
      arrived: () => homeserver.arrived,
      ports: () => [],
      close: async () => {
        await adapter.stop();
        await homeserver.stop();
        await storage.close();
      },
    };
  },
});

function hash(value: string | Buffer): string {
  return createHash('sha256').update(value).digest('hex').slice(0, 40);
}
