import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { escapeIdentifier } from 'pg';
import { Maintenance } from '../src/gateway/maintenance.js';
import { MailServer } from './support/mail-server.js';
import { MixedTraffic } from './support/mixed-traffic.js';
import { secretsIn, type Secret } from './support/secrets.js';
import { TestGateway } from './support/test-gateway.js';

/** What whoever holds the database may read; docs/at-rest.md says the same in words. The rest is sealed or hashed. */
const READABLE: Readonly<Record<string, readonly string[]>> = {
  account: ['address', 'profile', 'created_at', 'updated_at', 'logged_in', 'notifications', 'permissions', 'mailbox'],
  admin_token: ['token_hash', 'scopes', 'created_at'],
  attachment: ['size', 'created_at', 'expires_at'],
  attachment_chunk: ['position', 'ciphertext'],
  conversation: ['id', 'identity', 'ghost', 'created_at', 'used_at'],
  ghost: ['address', 'network', 'created_at', 'used_at'],
  ghost_key_rotation: ['version', 'ghost', 'rotated_at'],
  login_challenge: ['expires_at', 'issued'],
  mailbox: ['id', 'position', 'receiver', 'size', 'verdict', 'received_at', 'pushed_at', 'postmarked_ms'],
  mailbox_acknowledgement: ['envelope_id'],
  mailbox_device: ['receiver', 'seen_at'],
  mailbox_outcome: ['outcome', 'settled_at'],
  message: [
    'id',
    'direction',
    'network',
    'state',
    'identity',
    'ghost',
    'conversation_id',
    'code',
    'attempts',
    'accepted_at',
    'frozen_at',
    'settled_at',
  ],
  message_event: ['id', 'message_id', 'at', 'event', 'attempt', 'code', 'next_at'],
  message_map: ['id', 'owner', 'conversation_id', 'created_at'],
  message_trace: ['message_id'],
  migrations: ['id', 'timestamp', 'name'],
  notification_channel: ['id', 'account', 'type', 'is_enabled', 'is_verified', 'told_position', 'next_at', 'attempts'],
  notification_code: ['id', 'account', 'attempts', 'is_used', 'sent_at'],
  outbox_dead: ['ref', 'head_id', 'seq', 'kind', 'code', 'attempts', 'created_at', 'expires_at', 'died_at'],
  outbox_head: ['id', 'network', 'last_seq', 'next_at', 'lease_until', 'fence', 'priority', 'parked'],
  outbox_item: ['head_id', 'seq', 'kind', 'ref', 'created_at', 'expires_at', 'attempts', 'last_code', 'notice_at'],
  outbox_lane: ['network', 'failures', 'retry_at', 'last_code', 'paused_at'],
  outbox_pause: ['network', 'paused_at'],
  presence: ['address', 'process', 'expires_at'],
  profile_link: ['id', 'is_published', 'expires_at'],
  rate_window: ['window_at', 'used'],
  replaced_profile: ['address', 'profile_hash', 'replaced_at'],
  seen: ['ref', 'expires_at'],
  traffic: ['interval_start', 'messages', 'bytes', 'notifications'],
  user_name: ['label', 'skeleton', 'address', 'created_at'],
};

const SEALED = /^sealed_/;
const KEYED_HASH = /(^|_)key$/;
/** An unkeyed hash of these would let anybody test a guess. */
const GUESSABLE = ['foreign address', 'alias name', 'message hash', 'name bob.eth', 'Message-ID of mail'];

let gateway: TestGateway;
let traffic: MixedTraffic;

beforeAll(async () => {
  const mailServer = await MailServer.reserve();
  gateway = await TestGateway.create({ email: { outgoing: { smartHost: mailServer.address } } });
  traffic = await MixedTraffic.prepare(gateway, mailServer);
});
afterAll(async () => {
  await gateway.stop();
  await traffic.stop();
});

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

async function secretsAtRest(): Promise<string[]> {
  const secrets = new Map<string, Secret>(traffic.secrets);
  for (const what of GUESSABLE) {
    const text = traffic.secrets.get(what) as string;
    secrets.set(`SHA-256 of ${what}`, createHash('sha256').update(text).digest());
  }
  const found: string[] = [];
  for (const [column, values] of await everyValue()) {
    for (const value of values) found.push(...secretsIn(value, secrets).map((what) => `${column}: ${what}`));
  }
  return found;
}

async function countOf(sql: string): Promise<number> {
  const [row] = await gateway.db.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${sql}`);
  return row!.count;
}

describe('The database', () => {
  it('has no column that is neither sealed, nor a keyed hash, nor on the list', async () => {
    const readable: Record<string, string[]> = {};
    for (const { table, name, type } of await columns()) {
      if (SEALED.test(name) || KEYED_HASH.test(name)) expect(`${table}.${name}: ${type}`).toMatch(/: bytea$/);
      else (readable[table] ??= []).push(name);
    }
    const sorted = (lists: Readonly<Record<string, readonly string[]>>) =>
      Object.fromEntries(Object.entries(lists).map(([table, names]) => [table, [...names].sort()]));
    expect(sorted(readable)).toEqual(sorted(READABLE));
  });

  it('is described column by column', () => {
    const text = fs.readFileSync(new URL('../docs/at-rest.md', import.meta.url), 'utf8');
    for (const [table, names] of Object.entries(READABLE)) {
      const line = text.split('\n').find((each) => each.startsWith(`| \`${table}\``)) ?? '';
      expect(names.filter((name) => !line.includes(`\`${name}\``))).toEqual([]);
    }
  });

  it('shows nothing private while messages wait', async () => {
    await traffic.begin();
    expect(await countOf('outbox_item')).toBeGreaterThanOrEqual(3);
    expect(await countOf('message WHERE sealed_payload IS NOT NULL')).toBeGreaterThanOrEqual(3);
    expect(await countOf('message WHERE sealed_frozen IS NOT NULL')).toBeGreaterThan(0);
    expect(await countOf('mailbox')).toBeGreaterThan(0);
    expect(await secretsAtRest()).toEqual([]);
  });

  it('shows nothing private once all are delivered or have failed', async () => {
    await traffic.finish();
    expect(await countOf('outbox_dead')).toBe(2);
    expect(await countOf('message_map')).toBeGreaterThan(0);
    expect(await secretsAtRest()).toEqual([]);
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
  });

  it('would have been caught: a secret is found in whatever form', async () => {
    const secret = Buffer.from(traffic.secrets.get('root secret')!);
    const subject = Buffer.from(traffic.secrets.get('subject of mail')!);
    await gateway.db.query('CREATE TABLE leak (value bytea, note text)');
    const notes = [
      `0x${secret.toString('hex')}`,
      JSON.stringify({ a: `..${subject.toString('base64url')}` }),
      `${subject}`,
    ];
    for (const note of notes) await gateway.db.query('INSERT INTO leak (value, note) VALUES ($1, $2)', [secret, note]);
    expect(await secretsAtRest()).toEqual([
      ...notes.map(() => 'leak.value: root secret'),
      'leak.note: root secret',
      'leak.note: subject of mail',
      'leak.note: subject of mail',
    ]);
  });
});
