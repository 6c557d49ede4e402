// As much of a homeserver as a gateway needs, and its side that brings events: one transaction at a time, as Synapse does.
import { randomBytes, randomUUID } from 'node:crypto';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { serve } from './processes.mjs';

const LOOPBACK = '127.0.0.1';
/** As Synapse: events that come while a transaction is under way go together with the next one. */
const MOST_AT_ONCE = 100;
/** Just below what the gateway takes by default. */
const FILE = randomBytes(19_900_000);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

let hs;
/** Calls that came in, by what they ask for. */
const calls = new Map();
const answers = {
  calls: () => Object.fromEntries(calls),
  forget: () => void calls.clear(),
};

serve(
  async (input) => {
    hs = input;
    const server = http.createServer((request, response) => {
      request.resume().once('end', () => void answer(new URL(request.url, 'http://hs'), response));
    });
    await new Promise((resolve) => server.listen(0, LOOPBACK, resolve));
    return server.address().port;
  },
  async (question) => (await (typeof question === 'string' ? answers[question] : bring)(question)) ?? null,
);

async function answer({ pathname, searchParams }, response) {
  if (pathname.includes('/media/download/')) return sendFile(response);
  const [kind, json, status] = answerTo(pathname, searchParams);
  calls.set(kind, (calls.get(kind) ?? 0) + 1);
  if (kind === 'ping') await deliver('POST', 'ping', {}).catch(() => undefined);
  const body = JSON.stringify(json);
  response.writeHead(status ?? 200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function sendFile(response) {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': FILE.length }).end(FILE);
}

function answerTo(path, query) {
  const room = /\/rooms\/([^/]+)\//.exec(path)?.[1];
  if (path.endsWith('/ping')) return ['ping', { duration_ms: 1 }];
  if (path.endsWith('/versions')) return ['versions', { versions: ['v1.11'] }];
  if (path.endsWith('/joined_members')) return ['members', { joined: membersOf(room, query.get('user_id')) }];
  if (path.includes('/state/')) return ['state', { errcode: 'M_NOT_FOUND', error: 'none' }, 404];
  if (path.includes('/send/')) return ['send', { event_id: `$${randomUUID()}` }];
  return [/\/(join|register|devices|profile)\b/.exec(path)?.[1] ?? 'other', {}];
}

function membersOf(room, ghost) {
  return { [userOf(Number(/\d+/.exec(decodeURIComponent(room))[0]))]: {}, [ghost]: {} };
}

const userOf = (room) => `@user${room}:${hs.serverName}`;

/**
 * Brings events: invitations of ghosts to rooms, or messages in them, `perSecond` or as fast as they are taken.
 * @returns what was brought: when each transaction was sent, how long it took, and the ids of its events
 */
async function bring({ kind, rooms, count, perSecond = Infinity, ghosts }) {
  const transactions = [];
  const began = performance.now();
  for (let next = 0; next < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - began) * perSecond) / 1_000) + 1);
    const size = Number.isFinite(due) ? Math.min(due - next, MOST_AT_ONCE) : Math.min(count - next, MOST_AT_ONCE);
    if (size <= 0) {
      await delay(1);
      continue;
    }
    const events = Array.from({ length: size }, (_, index) => eventOf(kind, (next + index) % rooms, ghosts));
    const [at, from] = [Date.now(), performance.now()];
    await deliver('PUT', `transactions/${randomUUID()}`, { events });
    transactions.push({ at, milliseconds: performance.now() - from, ids: events.map(({ event_id: id }) => id) });
    next += size;
  }
  return transactions;
}

const WORDS = 'Ships that pass in the night, and speak each other in passing; only a signal shown. '.repeat(3);

function eventOf(kind, room, ghosts) {
  const base = {
    event_id: `$${randomUUID()}`,
    room_id: `!room${room}`,
    sender: userOf(room),
    origin_server_ts: Date.now(),
  };
  if (kind === 'message') return { ...base, type: 'm.room.message', content: { msgtype: 'm.text', body: WORDS } };
  if (kind === 'file') {
    const info = { size: FILE.length, mimetype: 'application/octet-stream' };
    const content = { msgtype: 'm.file', body: 'large.bin', url: `mxc://${hs.serverName}/large`, info };
    return { ...base, type: 'm.room.message', content };
  }
  const content = { membership: 'invite', is_direct: true };
  return { ...base, type: 'm.room.member', state_key: ghosts[room % ghosts.length], content };
}

/** @throws if it is not answered by 200 */
function deliver(method, path, json) {
  const body = JSON.stringify(json);
  const headers = {
    authorization: `Bearer ${hs.token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const options = { host: LOOPBACK, port: hs.gatewayPort, path: `/_matrix/app/v1/${path}`, method, headers, agent };
  return new Promise((resolve, reject) => {
    const request = http.request(options, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`The gateway answered HTTP ${response.statusCode}.`));
      });
    });
    request.once('error', reject).end(body);
  });
}
