import { Client } from 'pg';

export const SCHEMA = 'dm3_gateway_queue';

const HEADS = `INSERT INTO outbox_head (pair_key, network, destination_key, last_seq, next_at)
  SELECT convert_to($3::text || n, 'UTF8'), 'email',
    CASE WHEN $3 = 'dead' THEN 'dead'::bytea ELSE convert_to($3::text || n, 'UTF8') END, $2::int / $1::int,
    now() - make_interval(secs => 1 + random() * 60)
  FROM generate_series(1, $1::int) n`;
const ITEMS = `INSERT INTO outbox_item (head_id, seq, kind, ref, expires_at, notice_at)
  SELECT h.id, s, $1, gen_random_uuid(), now() + interval '1 day', now() + interval '1 hour'
  FROM outbox_head h, generate_series(1, h.last_seq) s
  WHERE NOT EXISTS (SELECT FROM outbox_item i WHERE i.head_id = h.id)`;

/** The queue's tables, filled by SQL. */
export class Queue {
  #db;

  static async open(postgres) {
    const queue = new Queue();
    queue.#db = new Client({ ...postgres, options: `-c search_path=${SCHEMA}` });
    await queue.#db.connect();
    return queue;
  }

  /** @param tidy false to leave the tables as they have become */
  async stock({ pairs, items }, { name = 'pair', kind = 'bench', tidy = true } = {}) {
    await this.#db.query(HEADS, [pairs, items, name]);
    await this.#db.query(ITEMS, [kind]);
    await this.#db.query(`${tidy ? 'VACUUM ANALYZE' : 'ANALYZE'} outbox_head, outbox_item, outbox_lease`);
    await this.#db.query('CHECKPOINT'); // what filling it left to do is not measured
  }

  async clear() {
    await this.#db.query('TRUNCATE outbox_head, outbox_item, outbox_lease, outbox_dead, outbox_lane');
  }

  async waiting() {
    return (await this.#db.query('SELECT count(*)::int AS count FROM outbox_item')).rows[0].count;
  }

  async leased() {
    const sql = 'SELECT count(*)::int AS count FROM outbox_lease';
    return (await this.#db.query(sql)).rows[0].count;
  }

  /** All that waits is for another handler from now on. */
  async relabel(kind) {
    await this.#db.query('UPDATE outbox_item SET kind = $1 WHERE kind <> $1', [kind]);
  }

  /** Megabytes of the tables and of their indexes. */
  async size() {
    const tables = `sum(pg_table_size(t)) / 1e6`;
    const sql = `SELECT (${tables})::float8 AS tables, (sum(pg_indexes_size(t)) / 1e6)::float8 AS indexes
      FROM unnest(ARRAY['outbox_head', 'outbox_item', 'outbox_lease']::regclass[]) t`;
    return (await this.#db.query(sql)).rows[0];
  }

  /** What this schema's workers do in the database at this moment: a wait's name, or `running`; and whose children they are. */
  async activity() {
    const sql = `SELECT pid, CASE WHEN state IN ('idle', 'idle in transaction') THEN state
        WHEN wait_event IS NULL THEN 'running' ELSE wait_event_type || ' ' || wait_event END AS doing
      FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name = $1 AND pid <> pg_backend_pid()
        AND datname = current_database() AND state IS NOT NULL`;
    return (await this.#db.query(sql, [APPLICATION])).rows;
  }

  async backend() {
    return (await this.#db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  }

  async close() {
    await this.#db.end();
  }
}

const APPLICATION = 'dm3-gateway';
