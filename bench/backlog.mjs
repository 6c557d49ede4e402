import { Client, escapeIdentifier } from 'pg';

/** What a sealed envelope takes here: less than a real one, so that a million fit on any disk. */
const SEALED = `convert_to(repeat(md5(n::text), 16), 'UTF8')`; // 512 bytes
const SIZE = 2_048;

const ACCOUNTS =
  'INSERT INTO account (address, profile) SELECT pg_temp.address(n), $2::jsonb FROM generate_series(1, $1) AS n';
const ENVELOPES = `INSERT INTO mailbox
    (id, receiver, sender_key, message_key, encrypted_key, sealed_envelope, size, verdict, postmarked_ms)
  SELECT gen_random_uuid(), %, sha256(int8send(n % 97)), sha256(int8send(-n)), sha256(int8send(n)), ${SEALED},
    ${SIZE}, 'verified', n
  FROM generate_series(1, $1::int) AS n`;
const SEEN = `INSERT INTO seen (key, ref, expires_at)
  SELECT sha256(int8send(n)), gen_random_uuid(), now() + interval '7 days' FROM generate_series(1, $1) AS n`;

const CONVERSATION = `('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid`;
const OLD_AT = `now() - interval '500 days' + make_interval(secs => n)`;
/** What a message leaves behind, a quarter each, long after its time. */
const OLD = {
  seen: `INSERT INTO seen (key, ref, expires_at)
    SELECT sha256(int8send(-n)), gen_random_uuid(), ${OLD_AT} FROM generate_series(1, $1) AS n`,
  message: `INSERT INTO message (id, direction, network, state, identity, ghost, accepted_at, settled_at)
    SELECT gen_random_uuid(), 'from-dm3', 'email', 'delivered', pg_temp.address(n), pg_temp.address(-n), ${OLD_AT},
      ${OLD_AT} FROM generate_series(1, $1) AS n`,
  message_map: `INSERT INTO message_map
      (id, owner, message_key, encrypted_key, remote_key, sealed_ids, conversation_id, created_at)
    SELECT gen_random_uuid(), pg_temp.address(n), sha256(int8send(n)), sha256(int8send(-n)), sha256(int8send(n)),
      ${SEALED}, ${CONVERSATION}, ${OLD_AT} FROM generate_series(1, $1) AS n`,
  mailbox: `INSERT INTO mailbox
      (id, receiver, sender_key, message_key, encrypted_key, sealed_envelope, size, verdict, received_at)
    SELECT gen_random_uuid(), pg_temp.address(n), sha256(int8send(n % 97)), sha256(int8send(-n)), sha256(int8send(n)),
      ${SEALED}, ${SIZE}, 'verified', ${OLD_AT} FROM generate_series(1, $1) AS n`,
};
const OLD_CONVERSATIONS = `INSERT INTO conversation (id, identity, ghost, used_at)
  SELECT ${CONVERSATION}, pg_temp.address(n), pg_temp.address(-n), now() FROM generate_series(1, $1) AS n
  ON CONFLICT DO NOTHING`;
const OLD_LEFT = `SELECT (SELECT count(*) FROM seen WHERE expires_at < now())
  + (SELECT count(*) FROM message WHERE settled_at < now() - interval '400 days')
  + (SELECT count(*) FROM message_map WHERE created_at < now() - interval '400 days')
  + (SELECT count(*) FROM mailbox WHERE received_at < now() - interval '400 days') AS left`;

/** Rows that make a database large, put there by SQL: nobody can open what they hold, and nobody asks for it. */
export class Backlog {
  #db;

  constructor(db) {
    this.#db = db;
  }

  /** @param schema of a gateway that has migrated it */
  static async open(postgres, schema) {
    const db = new Client({ ...postgres, options: `-c search_path=${schema} -c synchronous_commit=off` });
    await db.connect();
    await db.query(`SET maintenance_work_mem = '256MB'`);
    await db.query(`CREATE OR REPLACE FUNCTION pg_temp.address(n bigint) RETURNS bytea IMMUTABLE
      RETURN substring(sha256(int8send(n)) FOR 20)`);
    return new Backlog(db);
  }

  /** Accounts with as many messages each, and what remembers each of these messages to answer a repeat. */
  async stock({ accounts, messages, profile }) {
    await this.#db.query(ACCOUNTS, [accounts, JSON.stringify(profile)]);
    await this.#withoutIndexes('mailbox', () =>
      this.#db.query(ENVELOPES.replace('%', 'pg_temp.address(1 + n % $2::int)'), [messages, accounts]),
    );
    await this.#withoutIndexes('seen', () => this.#db.query(SEEN, [messages]));
    for (const table of ['account', 'mailbox', 'seen']) await this.#db.query(`VACUUM ANALYZE ${table}`);
    await this.#db.query('CHECKPOINT');
  }

  /** Messages that wait for one account, older than all that come from now on. */
  async queue(address, messages) {
    await this.#db.query(ENVELOPES.replace('%', '$2'), [messages, Buffer.from(address.slice(2), 'hex')]);
    await this.#db.query('VACUUM ANALYZE mailbox');
  }

  /** So many rows whose time is over. */
  async outlive(rows) {
    const each = Math.round(rows / Object.keys(OLD).length);
    await this.#db.query(OLD_CONVERSATIONS, [each]);
    for (const sql of Object.values(OLD)) await this.#db.query(sql, [each]);
    for (const table of ['conversation', ...Object.keys(OLD)]) await this.#db.query(`VACUUM ANALYZE ${table}`);
    await this.#db.query('CHECKPOINT');
  }

  /** How many of them are left. */
  async outlived() {
    const { rows } = await this.#db.query(OLD_LEFT);
    return Number(rows[0].left);
  }

  /** Keeps a copy of what waits for an account; `restore` puts back what has been acknowledged since. */
  async keep(address) {
    const table = escapeIdentifier(`kept_${address}`);
    await this.#db.query(`CREATE TEMPORARY TABLE ${table} AS SELECT * FROM mailbox WHERE receiver = $1`, [
      Buffer.from(address.slice(2), 'hex'),
    ]);
    const restore = `INSERT INTO mailbox OVERRIDING SYSTEM VALUE SELECT * FROM ${table} AS kept
      WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE mailbox.id = kept.id)`;
    return () => this.#db.query(restore);
  }

  async close() {
    await this.#db.end();
  }

  /** Those of its constraints stay. */
  async #withoutIndexes(table, work) {
    const { rows } = await this.#db.query(
      `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
       WHERE indrelid = $1::regclass AND NOT indisprimary AND NOT indisunique`,
      [table],
    );
    for (const { name } of rows) await this.#db.query(`DROP INDEX ${name}`);
    await work();
    for (const { definition } of rows) await this.#db.query(definition);
  }
}
