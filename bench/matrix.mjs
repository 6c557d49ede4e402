import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { roomToForeign } from '../dist/adapters/matrix/address.js';
import { ghostId } from '../dist/adapters/matrix/ghost-id.js';
import { GhostAccountStore } from '../dist/adapters/matrix/ghost.store.js';
import { MemberStore } from '../dist/adapters/matrix/portals/member.store.js';
import { PortalStore } from '../dist/adapters/matrix/portals/portal.store.js';
import { formatRegistration, newRegistration } from '../dist/adapters/matrix/registration.js';
import { RoomStore } from '../dist/adapters/matrix/room.store.js';
import { LOOPBACK } from '../dist/sandbox/ports.js';
import { Sealer } from '../dist/storage/sealer.js';
import { cpuSeconds, peakMb, residentMb } from './processes.mjs';
import { elsewhere } from './stage.mjs';
import { secretVariables, startOnce, writeFiles } from './start.mjs';
import { median, quantile } from './statistics.mjs';

const SERVER_NAME = 'hs.test';
/** So many that nobody says more than one person may (`limits.messagesPerMinute`). */
const ROOMS = 500;
const PER_SECOND = 50;
const WARM_UP = 400;
const FILES = 16;
const PATIENCE_MS = 60_000;
/** How many events may wait in the gateway while it takes as many as it can. */
const IN_FLIGHT = 1_000;
/** Each ghost is in one of the rooms, and every fifth has a chat besides. */
const KNOWN = { rooms: 1_000, ghosts: 5_000, chats: 1_000 };
const NOTHING = { rooms: 0, ghosts: 0, chats: 0 };

/** Events that a homeserver brings: how long they take, what they leave in memory, and how a gateway with many starts. */
export async function* measureMatrix(stage, { rounds, seconds, full }) {
  const { input, ports } = await elsewhere(stage.setting, 'dm3_gateway_matrix');
  const homeserver = await startHomeserver(stage, input, ports);
  const gateway = await stage.start('gateway-process.mjs', input);
  const db = new Client({ ...stage.postgres, options: '-c search_path=dm3_gateway_matrix' });
  await db.connect();
  const world = { gateway, homeserver, db };
  try {
    const ghosts = stage.receivers.map(({ name }) => ghostId(name, SERVER_NAME));
    await homeserver.ask({ kind: 'invite', rooms: ROOMS, count: ROOMS, ghosts });
    await untilDone(world, 0);
    await bringAll(world, WARM_UP);
    yield await measureTimes(world, seconds * rounds);
    yield await measureMemory(world, full ? [1_000, 10_000, 25_000, 50_000, 75_000, 100_000] : [1_000, 2_000, 4_000]);
    await gateway.stop();
    yield await measureMedia(stage);
    yield await measureStarts(stage, homeserver, rounds);
  } finally {
    await db.end();
  }
}

/** The last part alone: a gateway that is started with much in its database. */
export async function measureMatrixStart(stage, { rounds }) {
  const { input, ports } = await elsewhere(stage.setting, 'dm3_gateway_matrix');
  return measureStarts(stage, await startHomeserver(stage, input, ports), rounds);
}

/** Many large files at once, as links; each gateway is a new one. */
async function measureMedia(stage) {
  const rows = [];
  for (const [name, mediaMemoryBytes] of [
    ['as it is by default', undefined],
    ['without a bound', 1_000_000_000],
  ]) {
    const { input, ports } = await elsewhere(stage.setting, `dm3_gateway_media_${rows.length}`);
    input.settings.attachments = { enabled: true };
    const homeserver = await startHomeserver(stage, input, ports);
    Object.assign(input.matrix, { mediaMemoryBytes });
    rows.push({ name, ...(await measureFiles(stage, input, homeserver)) });
  }
  const title = `matrix: ${FILES} files of 20 MB at the same time, to receivers who are sent links`;
  const columns = {
    name: 'memory for files',
    seconds: 'taken after, s',
    before: 'RSS before, MB',
    peak: 'at most, MB',
  };
  return { name: 'matrixMedia', title, columns, rows, figures: rows };
}

async function measureFiles(stage, input, homeserver) {
  const gateway = await stage.start('gateway-process.mjs', input);
  const db = new Client({ ...stage.postgres, options: `-c search_path=${input.settings.database.schema}` });
  await db.connect();
  const world = { gateway, homeserver, db };
  const ghosts = stage.receivers.map(({ name }) => ghostId(name, SERVER_NAME));
  await homeserver.ask({ kind: 'invite', rooms: FILES, count: FILES, ghosts });
  await untilDone(world, 0);
  await bringAll(world, FILES);
  const before = residentMb(gateway.pid);
  const began = performance.now();
  await homeserver.ask({ kind: 'file', rooms: FILES, count: FILES });
  await untilDone(world, 0);
  const failed = (await db.query("SELECT code FROM matrix_inbox WHERE state = 'failed'")).rows;
  if (failed.length > 0) throw new Error(`${failed.length} files were not taken: ${failed[0].code}`);
  const seconds = (performance.now() - began) / 1_000;
  const peak = peakMb(gateway.pid);
  await db.end();
  await gateway.stop();
  return { seconds, before, peak };
}

async function startHomeserver(stage, input, ports) {
  const registration = newRegistration({ serverName: SERVER_NAME, url: `http://${LOOPBACK}:${ports.http}` });
  const registrationFile = path.join(stage.home, 'matrix-registration.yaml');
  fs.writeFileSync(registrationFile, formatRegistration(registration));
  const started = { serverName: SERVER_NAME, gatewayPort: ports.http, token: registration.hs_token };
  const homeserver = await stage.start('homeserver.mjs', started);
  const homeserverUrl = `http://${LOOPBACK}:${homeserver.ready}`;
  input.matrix = { homeserverUrl, serverName: SERVER_NAME, registrationFile };
  return { ...homeserver, input };
}

/** At a steady rate, each event as it comes; what comes while a transaction is under way goes with the next. */
async function measureTimes(world, seconds) {
  const { gateway, homeserver } = world;
  const count = PER_SECOND * seconds;
  const transactions = await homeserver.ask({ kind: 'message', rooms: ROOMS, count, perSecond: PER_SECOND });
  await untilDone(world, 0);
  const delivered = await gateway.ask({ traced: transactions.flatMap(({ ids }) => ids) });
  const sentAt = new Map(transactions.flatMap(({ ids, at }) => ids.map((id) => [id, at])));
  const lost = delivered.filter(({ state }) => state !== 'delivered');
  if (lost.length > 0) throw new Error(`${lost.length} of ${count} events did not arrive.`);
  const rows = [
    rowOf(
      'transaction taken: 200 after the commit',
      transactions.map(({ milliseconds }) => milliseconds),
    ),
    rowOf(
      'message in the mailbox, and settled',
      delivered.map(({ id, settledAt }) => settledAt - sentAt.get(id)),
    ),
  ];
  const title = `matrix: ${PER_SECOND} messages/s in ${ROOMS} chats for ${seconds} s, from the moment the homeserver sends`;
  const columns = { name: 'until', count: 'count', p50: 'p50 ms', p95: 'p95 ms', p99: 'p99 ms', longest: 'longest ms' };
  return { name: 'matrix', title, columns, rows, figures: rows };
}

function rowOf(name, values) {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => quantile(values, share));
  return { name, count: values.length, p50, p95, p99, longest: Math.max(...values) };
}

/** As many as the gateway can take; its memory after so many. */
async function measureMemory(world, marks) {
  const { gateway } = world;
  const rows = [{ events: 0, ...(await memory(gateway)) }];
  let done = 0;
  for (const mark of marks) {
    const [began, cpu, count] = [performance.now(), cpuSeconds(gateway.pid), mark - done];
    await bringAll(world, count);
    const perSecond = (count * 1_000) / (performance.now() - began);
    const cpuMs = ((cpuSeconds(gateway.pid) - cpu) * 1_000) / count;
    rows.push({ events: (done = mark), perSecond, cpuMs, ...(await memory(gateway)) });
  }
  const title = 'matrix: memory of the gateway after as many messages, as fast as they reach the mailboxes';
  const columns = {
    events: 'events',
    perSecond: 'per s',
    cpuMs: 'CPU ms each',
    residentMb: 'RSS, MB',
    heapMb: 'heap in use, MB',
  };
  return { name: 'matrixMemory', title, columns, rows, figures: rows };
}

async function memory(gateway) {
  return { heapMb: (await gateway.ask('heap')) / 1e6, residentMb: residentMb(gateway.pid) };
}

async function bringAll(world, count) {
  for (let left = count; left > 0; left -= IN_FLIGHT / 2) {
    await world.homeserver.ask({ kind: 'message', rooms: ROOMS, count: Math.min(left, IN_FLIGHT / 2) });
    await untilDone(world, IN_FLIGHT / 2);
  }
  await untilDone(world, 0);
}

/** Once no more than `most` wait to be handled or delivered. @throws if none is done for a long time */
async function untilDone({ db }, most) {
  const waiting = `SELECT (SELECT count(*) FROM matrix_inbox WHERE state = 'waiting')::int
    + (SELECT count(*) FROM outbox_item)::int AS count`;
  let [fewest, deadline] = [Infinity, Infinity];
  for (;;) {
    const { count } = (await db.query(waiting)).rows[0];
    if (count <= most) return;
    if (count < fewest) [fewest, deadline] = [count, performance.now() + PATIENCE_MS];
    if (performance.now() > deadline) throw new Error(`The gateway leaves ${count} of the events it took undone.`);
    await delay(20);
  }
}

/** `dm3-gateway start` with nothing and with much in the database, by turns, and what it asks the homeserver for. */
async function measureStarts(stage, homeserver, rounds) {
  const rows = [];
  for (const known of [NOTHING, KNOWN]) rows.push({ known, ...(await preparedStart(stage, homeserver, known)) });
  for (let round = 0; round < rounds; round += 1) {
    for (const { start, starts, calls } of rows) {
      await homeserver.ask('forget');
      starts.push(await start());
      calls.push(
        Object.entries(await homeserver.ask('calls'))
          .map(([kind, count]) => `${count} ${kind}`)
          .join(', '),
      );
    }
  }
  const title =
    'matrix: "dm3-gateway start" until /health/ready answers 200, with bridged rooms and ghosts in the database';
  const columns = {
    rooms: 'bridged rooms',
    ghosts: 'ghosts, members',
    chats: 'chats',
    seconds: 'ready, s',
    slowest: 'slowest, s',
    idleMb: 'RSS idle, MB',
    calls: 'calls to the homeserver a start',
  };
  const figures = rows.map(figuresOf);
  return { name: 'matrixStart', title, columns, rows: figures, figures };
}

/** On a database that is migrated and filled. */
async function preparedStart(stage, homeserver, known) {
  const schema = `dm3_gateway_matrix_start_${known.rooms}`;
  const { input, ports } = await elsewhere({ ...homeserver.input, profiles: [] }, schema);
  const { settings, matrix } = input;
  const file = writeFiles(stage, schema, { ...settings, matrix });
  const secrets = secretVariables(input.secrets);
  const start = () => startOnce(stage, { file, secrets, port: ports.http });
  await start(); // migrates
  await fill(stage, input, known);
  return { start, starts: [], calls: [] };
}

function figuresOf({ known, starts, calls }) {
  const seconds = starts.map((each) => each.seconds);
  return {
    ...known,
    seconds: median(seconds),
    slowest: Math.max(...seconds),
    idleMb: median(starts.map(({ idleMb }) => idleMb)),
    calls: [...new Set(calls)].join(' or ') || 'none',
  };
}

async function fill({ crypto, postgres }, { settings, secrets }, known) {
  const sealer = new Sealer(crypto, randomBytes, secrets);
  const accounts = new GhostAccountStore(sealer);
  const client = new Client({ ...postgres, options: `-c search_path=${settings.database.schema}` });
  await client.connect();
  const db = { query: async (text, values) => (await client.query(text, values)).rows };
  await client.query('BEGIN');
  const people = Array.from({ length: known.ghosts }, (_, index) => person(index));
  for (const { ghost: userId, name } of people) {
    await accounts.put(db, { userId, name, displayName: name, avatar: null, checkedAt: Date.now() });
  }
  await fillRooms(db, sealer, people, known.rooms);
  await fillChats(db, sealer, people.slice(0, known.chats));
  await client.query('COMMIT');
  await client.end();
}

function person(index) {
  const name = `person${index}.eth`;
  return { name, ghost: ghostId(name, SERVER_NAME), identity: `0x${index.toString(16).padStart(40, '0')}` };
}

async function fillRooms(db, sealer, people, rooms) {
  const [portals, members] = [new PortalStore(sealer), new MemberStore(sealer)];
  const perRoom = people.length / rooms;
  for (let index = 0; index < rooms; index += 1) {
    const shown = `#bridged${index}:${SERVER_NAME}`;
    const portal = await portals.add(db, { roomId: `!bridged${index}`, address: roomToForeign(shown), shown });
    await portals.setState(db, portal, 'open');
    for (const { name, ghost, identity } of people.slice(index * perRoom, (index + 1) * perRoom)) {
      const target = { name, address: identity, sizeLimit: null };
      await members.put(db, portal, 'joined', { identity, name, ghost, target, since: null });
    }
  }
}

async function fillChats(db, sealer, people) {
  const rooms = new RoomStore(sealer);
  for (const [index, { name, ghost, identity }] of people.entries()) {
    const chat = { roomId: `!room${index}`, ghost, name, identity, user: `@user${index}:${SERVER_NAME}` };
    await rooms.add(db, { ...chat, state: 'open' });
  }
}
