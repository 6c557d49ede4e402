import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { escapeIdentifier } from 'pg';
import { Maintenance } from '../src/gateway/maintenance.js';
import { startPostgres, type EmbeddedPostgres } from '../src/sandbox/embedded-postgres.js';
import { removeData } from '../src/sandbox/postgres-place.js';
import { MailServer } from './support/mail-server.js';
import { MatrixTraffic } from './support/matrix-traffic.js';
import { MixedTraffic } from './support/mixed-traffic.js';
import { SecretSearch, secretsIn, type Secret } from './support/secrets.js';
import { TestGateway } from './support/test-gateway.js';
import { unpacked } from './support/unpacked.js';

/** What whoever holds the database may read, by table; the rest is sealed or hashed. */
const READABLE = readableColumns(new URL('../docs/at-rest.md', import.meta.url));

const SEALED = /^sealed_/;
const KEYED_HASH = /(^|_)key$/;
/** An unkeyed hash of these would let anybody test a guess. */
const GUESSABLE = [
  'foreign address',
  'alias name',
  'message hash',
  'name bob.eth',
  'Message-ID of mail',
  'Matrix user',
];

/** A PostgreSQL of this suite's own: what its files hold is all of our making. */
const home = fs.mkdtempSync(path.join(os.tmpdir(), 'dm3-gateway-at-rest-'));
const dataDir = path.join(home, 'postgres');
const logged: string[] = [];
let postgres: EmbeddedPostgres;
let gateway: TestGateway;
let traffic: MixedTraffic;
let matrix: MatrixTraffic;

beforeAll(async () => {
  fs.chmodSync(home, 0o711); // as root, PostgreSQL's account passes through
  postgres = await startPostgres({ dataDir, log: () => {} });
  const mailServer = await MailServer.reserve();
  matrix = await MatrixTraffic.prepare();
  gateway = await TestGateway.create({
    matrix: matrix.config,
    postgres: postgres.connection,
    email: { outgoing: { smartHost: mailServer.address } },
    log: { level: 'debug', destination: { write: (line) => void logged.push(line) } },
  });
  traffic = await MixedTraffic.prepare(gateway, mailServer);
});
afterAll(async () => {
  await gateway.stop();
  await traffic.stop();
  await matrix.stop();
  await postgres.stop();
  removeData(dataDir);
  fs.rmSync(home, { recursive: true });
});

/** Rows of the page's table: a table's name, its readable columns, what they tell. */
function readableColumns(page: URL): Record<string, string[]> {
  const rows = fs.readFileSync(page, 'utf8').matchAll(/^\| `(\w+)` *\|([^|]+)\|/gm);
  return Object.fromEntries(
    [...rows].map(([, table, cell]) => [table!, [...cell!.matchAll(/`(\w+)`/g)].map(([, name]) => name!)]),
  );
}

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
}

function columns(): Promise<Column[]> {
  const sql = `SELECT table_name AS table, column_name AS name, data_type AS type FROM information_schema.columns
    WHERE table_schema = $1 ORDER BY 1, 2`;
  return gateway.db.query<{ table: string; name: string; type: string }>(sql, [gateway.db.schema]);
}

/** Every value of every row, by column. */
async function everyValue(): Promise<Map<string, (string | Buffer)[]>> {
  const values = new Map<string, (string | Buffer)[]>();
  for (const table of new Set((await columns()).map(({ table }) => table))) {
    for (const row of await gateway.db.query<Record<string, unknown>>(`SELECT * FROM ${escapeIdentifier(table)}`)) {
      for (const [name, value] of Object.entries(row)) {
        const key = `${table}.${name}`;
        values.set(key, [...(values.get(key) ?? []), Buffer.isBuffer(value) ? value : JSON.stringify(value)]);
      }
    }
  }
  return values;
}

/** And what would let anybody test a guess. */
function allSecrets(): Map<string, Secret> {
  const secrets = new Map<string, Secret>([...traffic.secrets, ...matrix.secrets]);
  for (const what of GUESSABLE) {
    const text = secrets.get(what) as string;
    secrets.set(`SHA-256 of ${what}`, createHash('sha256').update(text).digest());
  }
  return secrets;
}

async function secretsAtRest(): Promise<string[]> {
  const found: string[] = [];
  for (const [column, values] of await everyValue()) {
    for (const value of values) {
      const forms = Buffer.isBuffer(value) ? unpacked(value) : [value];
      const names = new Set(forms.flatMap((form) => secretsIn(form, allSecrets())));
      found.push(...[...names].map((what) => `${column}: ${what}`));
    }
  }
  return found;
}

/** PostgreSQL removes some of its files while they are listed. */
function contentOf(file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** In every file of PostgreSQL's: tables with their dead rows, statistics, write-ahead log, and the server's own log. */
async function secretsOnDisk(): Promise<string[]> {
  await gateway.db.query('CHECKPOINT');
  const search = new SecretSearch(allSecrets());
  const files = fs.readdirSync(fs.realpathSync(dataDir), { recursive: true, withFileTypes: true });
  return files
    .filter((entry) => entry.isFile())
    .flatMap(({ parentPath, name }) => [...search.in(contentOf(path.join(parentPath, name)))]);
}

const secretsInLog = () => logged.flatMap((line) => secretsIn(line, allSecrets()));

async function countOf(sql: string): Promise<number> {
  const [row] = await gateway.db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${sql}`);
  return row!.count;
}

/** Where PostgreSQL has looked at the rows too: its statistics keep samples of them. */
async function expectNothingPrivate(): Promise<void> {
  await gateway.db.query('ANALYZE');
  expect(await secretsAtRest()).toEqual([]);
  expect(await secretsOnDisk()).toEqual([]);
  expect(secretsInLog()).toEqual([]);
}

describe('The database', () => {
  it('has no column that is neither sealed, nor a keyed hash, nor on the list of docs/at-rest.md', async () => {
    const readable: Record<string, string[]> = {};
    for (const { table, name, type } of await columns()) {
      if (SEALED.test(name) || KEYED_HASH.test(name)) expect(`${table}.${name}: ${type}`).toMatch(/: bytea$/);
      else (readable[table] ??= []).push(name);
    }
    const sorted = (lists: Readonly<Record<string, readonly string[]>>) =>
      Object.fromEntries(Object.entries(lists).map(([table, names]) => [table, [...names].sort()]));
    expect(sorted(readable)).toEqual(sorted(READABLE));
  });

  it('shows nothing private while messages wait', async () => {
    await traffic.begin();
    await matrix.begin(gateway);
    expect(await countOf("matrix_inbox WHERE state = 'waiting' AND sealed_event IS NOT NULL")).toBe(2);
    expect(await countOf('matrix_room')).toBeGreaterThan(0);
    expect(await countOf('matrix_event')).toBeGreaterThan(0);
    expect(await countOf('outbox_item')).toBeGreaterThanOrEqual(3);
    expect(await countOf('message WHERE sealed_payload IS NOT NULL')).toBeGreaterThanOrEqual(3);
    expect(await countOf('message WHERE sealed_frozen IS NOT NULL')).toBeGreaterThan(0);
    expect(await countOf('mailbox')).toBeGreaterThan(0);
    await expectNothingPrivate();
  });

  it('shows nothing private once all are delivered or have failed', async () => {
    await matrix.finish(gateway);
    await traffic.finish();
    expect(await countOf('outbox_dead')).toBe(2);
    expect(await countOf('message_map')).toBeGreaterThan(0);
    await expectNothingPrivate();
  });

  it('holds no content of what is delivered', async () => {
    expect(await countOf("message WHERE state = 'delivered'")).toBeGreaterThanOrEqual(4);
    const rest = await countOf("message WHERE state = 'delivered' AND num_nonnulls(sealed_payload, sealed_frozen) > 0");
    expect(rest).toBe(0);
  });

  it('keeps the content of a dead letter for the operator’s retry, and no longer than it says', async () => {
    expect(await countOf("message WHERE state = 'failed' AND sealed_payload IS NOT NULL")).toBe(2);
    await gateway.db.query("UPDATE message SET settled_at = now() - interval '31 days' WHERE state = 'failed'");
    await gateway.running.app.get(Maintenance).run();
    expect(await countOf('message WHERE num_nonnulls(sealed_payload, sealed_frozen) > 0')).toBe(0);
    await gateway.db.query('VACUUM');
    await expectNothingPrivate();
  });

  it('would have been caught: a secret is found in whatever form', async () => {
    const secret = Buffer.from(traffic.secrets.get('root secret')!);
    const subject = Buffer.from(traffic.secrets.get('subject of mail')!);
    await gateway.db.query('CREATE TABLE leak (value bytea, note text)');
    const notes = [
      `0x${secret.toString('hex')}`,
      JSON.stringify({ a: `..${subject.toString('base64url')}` }),
      `${subject}`,
      subject.toString('base64').replace(/(.{7})/g, '$1\r\n'),
    ];
    for (const note of notes) await gateway.db.query('INSERT INTO leak (value, note) VALUES ($1, $2)', [secret, note]);
    for (const pack of [gzipSync, deflateSync, brotliCompressSync])
      await gateway.db.query('INSERT INTO leak (value) VALUES ($1)', [pack(subject)]);
    const wide = Buffer.from(`${subject}`, 'utf16le');
    await gateway.db.query('INSERT INTO leak (value) VALUES ($1)', [wide]);
    expect(await secretsAtRest()).toEqual([
      ...notes.map(() => 'leak.value: root secret'),
      ...Array.from({ length: 4 }, () => 'leak.value: subject of mail'),
      'leak.note: root secret',
      'leak.note: subject of mail',
      'leak.note: subject of mail',
      'leak.note: subject of mail',
    ]);
    expect(new Set(await secretsOnDisk())).toEqual(new Set(['root secret', 'subject of mail']));
    logged.push(JSON.stringify({ event: 'leak', subject: `${subject}` }));
    expect(secretsInLog()).toEqual(['subject of mail']);
  });
});
