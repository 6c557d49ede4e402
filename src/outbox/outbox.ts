import type { Queryable, Tx } from '../storage/database.js';

export interface OutboxEntry {
  /** Keyed hash of (sender, receiver): order is kept among entries of one pair, never across pairs. */
  readonly pairKey: Uint8Array;
  readonly network: string;
  /** Keyed hash of where the pair's messages go: a mail domain, a homeserver, a delivery service. */
  readonly destinationKey: Uint8Array;
  /** Which handler delivers it. */
  readonly kind: string;
  /** UUID of the message row. The queue holds ids, never content. */
  readonly ref: string;
  readonly expiresInSeconds: number;
  /** After so long its author is told once that it still waits; never if null. */
  readonly noticeInSeconds?: number | null;
  /** Waits while there is something for people, though not for ever. */
  readonly isBulk?: boolean;
  /** The destination is a guess: where the pair has one already, that stays. */
  readonly isGuess?: boolean;
}

/** An item that failed for good. Its pair went on without it; an operator may retry or discard it. */
export interface DeadLetter {
  readonly ref: string;
  readonly network: string;
  readonly kind: string;
  /** Of the last error. */
  readonly code: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly diedAt: Date;
}

export interface OutboxStatus {
  readonly state: 'waiting' | 'dead';
  /** Attempts that ended so far. */
  readonly attempt: number;
  /** When the pair is due next, null for a dead item. A pair due in the past is being worked on, or about to be. */
  readonly nextAt: Date | null;
  /** Of the last attempt's error. */
  readonly lastCode: string | null;
  /** When it was put into the queue, or put back by an operator. */
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface OutboxCounts {
  readonly waiting: number;
  readonly dead: number;
  /** Age of the oldest waiting item, 0 if there is none. */
  readonly oldestSeconds: number;
}

/** What waits on one network, by pairs: each has one message or more. */
export interface NetworkCounts {
  readonly network: string;
  readonly waiting: number;
  readonly dead: number;
  /** Pairs that a worker holds now, that are due, that are due and wait for a place, and that wait for their next attempt. */
  readonly held: number;
  readonly due: number;
  readonly parked: number;
  readonly later: number;
  readonly oldestAt: Date | null;
}

/** The durable queue as seen by those who fill it and those who look after it; OutboxWorker empties it. */
export class Outbox {
  /** What workers LISTEN to. Channels are shared by a whole PostgreSQL database, hence the schema. */
  readonly channel: string;
  #due = false;
  #signalling = false;

  constructor(schema: string) {
    this.channel = `outbox/${schema}`;
  }

  /**
   * Puts an entry behind the others of its pair, in the transaction of the state change that it follows from. The pair
   * stays locked until that transaction ends: enqueue last, and order of commit is order of delivery.
   */
  async enqueue(tx: Tx, entry: OutboxEntry): Promise<void> {
    const { headId, seq } = await lockedHead(tx, entry);
    await tx.query(
      `INSERT INTO outbox_item (head_id, seq, kind, ref, expires_at, notice_at)
       VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5), now() + make_interval(secs => $6))`,
      [headId, seq, entry.kind, entry.ref, entry.expiresInSeconds, entry.noticeInSeconds ?? null],
      'outbox_enqueue',
    );
    this.#announce(tx);
  }

  /** Newest first. */
  async deadLetters(db: Queryable, limit = 100): Promise<DeadLetter[]> {
    return db.query<DeadLetter>(
      `SELECT d.ref, h.network, d.kind, d.code, d.attempts, d.created_at AS "createdAt", d.died_at AS "diedAt"
       FROM outbox_dead d JOIN outbox_head h ON h.id = d.head_id ORDER BY d.died_at DESC LIMIT $1`,
      [limit],
    );
  }

  /**
   * Puts a dead letter back at its old place, before its successors, due now and with its whole lifetime again.
   * @returns false if there is no such dead letter
   */
  async retry(tx: Tx, ref: string): Promise<boolean> {
    const revived = await tx.query(
      `WITH dead AS (DELETE FROM outbox_dead WHERE ref = $1 RETURNING *), revived AS (
         INSERT INTO outbox_item (head_id, seq, kind, ref, expires_at)
         SELECT head_id, seq, kind, ref, now() + (expires_at - created_at) FROM dead RETURNING head_id
       ) UPDATE outbox_head SET next_at = now(), parked = false FROM revived WHERE id = revived.head_id RETURNING id`,
      [ref],
    );
    if (revived.length > 0) this.#announce(tx);
    return revived.length > 0;
  }

  /** Deletes a dead letter. @returns false if there is no such dead letter */
  async discard(tx: Tx, ref: string): Promise<boolean> {
    const gone = await tx.query('DELETE FROM outbox_dead WHERE ref = $1 RETURNING ref', [ref]);
    return gone.length > 0;
  }

  /** Deletes dead letters that nobody has retried for `days`. @returns how many, `limit` at most */
  async purgeDead(db: Queryable, days: number, limit: number): Promise<number> {
    const gone = await db.query(
      `DELETE FROM outbox_dead WHERE ref IN (
         SELECT ref FROM outbox_dead WHERE died_at < now() - make_interval(days => $1) ORDER BY died_at LIMIT $2
         FOR UPDATE SKIP LOCKED) RETURNING ref`,
      [days, limit],
    );
    return gone.length;
  }

  /**
   * Deletes the heads of pairs that have had nothing for `days`, longest first. Whoever enqueues for one at that moment
   * keeps it, as he has it locked, or he waits for the end of this and inserts a new one.
   * @returns how many, `limit` at most
   */
  async purgeIdle(db: Queryable, days: number, limit: number): Promise<number> {
    const gone = await db.query(
      `DELETE FROM outbox_head WHERE id IN (
         SELECT id FROM outbox_head h WHERE next_at IS NULL AND idle_at < now() - make_interval(days => $1)
           AND NOT EXISTS (SELECT FROM outbox_dead WHERE head_id = h.id OFFSET 0)
         ORDER BY idle_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1`,
      [days, limit],
    );
    return gone.length;
  }

  async counts(db: Queryable): Promise<OutboxCounts> {
    const [counts] = await db.query<{ waiting: number; dead: number; oldestSeconds: number }>(
      `SELECT count(*)::int AS waiting, (SELECT count(*)::int FROM outbox_dead) AS dead,
         coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS "oldestSeconds" FROM outbox_item`,
    );
    return counts!;
  }

  /** By network. Looks at every pair: for operators, not for every request. */
  async overview(db: Queryable): Promise<NetworkCounts[]> {
    return db.query<{ [Field in keyof NetworkCounts]: NetworkCounts[Field] }>(
      `SELECT network, sum(waiting)::int AS waiting, sum(dead)::int AS dead, min(oldest) AS "oldestAt",
         count(*) FILTER (WHERE l.head_id IS NOT NULL)::int AS held,
         count(*) FILTER (WHERE next_at <= now() AND NOT parked AND l.head_id IS NULL)::int AS due,
         count(*) FILTER (WHERE parked)::int AS parked,
         count(*) FILTER (WHERE next_at > now() AND l.head_id IS NULL)::int AS later
       FROM outbox_head h
       LEFT JOIN outbox_lease l ON l.head_id = h.id AND l.until > now()
       LEFT JOIN (SELECT head_id, count(*) AS waiting, min(created_at) AS oldest FROM outbox_item GROUP BY 1) i
         ON i.head_id = h.id
       LEFT JOIN (SELECT head_id, count(*) AS dead FROM outbox_dead GROUP BY 1) d ON d.head_id = h.id
       WHERE i.head_id IS NOT NULL OR d.head_id IS NOT NULL GROUP BY network ORDER BY network`,
    );
  }

  /** Wakes the workers of all processes after the commit: something they left alone may go now. */
  wakeWorkers(tx: Tx): void {
    this.#announce(tx);
  }

  /** Null if the queue does not know the message: it is delivered, was discarded, or was never here. */
  async statusOf(db: Queryable, ref: string): Promise<OutboxStatus | null> {
    const [status] = await db.query<{ [Field in keyof OutboxStatus]: OutboxStatus[Field] }>(
      `SELECT 'waiting' AS state, i.attempts AS attempt, h.next_at AS "nextAt", i.last_code AS "lastCode",
         i.created_at AS "createdAt", i.expires_at AS "expiresAt"
       FROM outbox_item i JOIN outbox_head h ON h.id = i.head_id WHERE i.ref = $1
       UNION ALL SELECT 'dead', attempts, NULL, code, created_at, expires_at FROM outbox_dead WHERE ref = $1`,
      [ref],
    );
    return status ?? null;
  }

  /**
   * Always, even if the pair is due already: a worker may just have skipped it, since this transaction has it locked.
   * After the commit, since PostgreSQL commits transactions that notify one at a time (docs/adr/0007); a signal that is
   * lost with its process is made up for by the workers' next poll.
   */
  #announce(tx: Tx): void {
    tx.afterCommit((db) => {
      this.#due = true;
      if (!this.#signalling) void this.#signal(db);
    });
  }

  /** One at a time: what is committed meanwhile goes with the next. */
  async #signal(db: Queryable): Promise<void> {
    this.#signalling = true;
    while (this.#due) {
      this.#due = false;
      await db.query('SELECT pg_notify($1, $2)', [this.channel, ''], 'outbox_announce').catch(() => undefined);
    }
    this.#signalling = false;
  }
}

/** Locks the pair's head before the sequence number is taken: a number drawn first could be committed second. */
async function lockedHead(tx: Tx, entry: OutboxEntry): Promise<{ headId: string; seq: string }> {
  const [head] = await tx.query<{ headId: string; seq: string }>(
    `INSERT INTO outbox_head AS head (pair_key, network, destination_key, priority, last_seq, next_at)
     VALUES ($1, $2, $3, $4, 1, now())
     ON CONFLICT (pair_key) DO UPDATE SET last_seq = head.last_seq + 1, next_at = coalesce(head.next_at, now()),
       destination_key = CASE WHEN $5 THEN head.destination_key ELSE excluded.destination_key END,
       priority = least(excluded.priority, CASE WHEN head.next_at IS NOT NULL THEN head.priority END)
     RETURNING id AS "headId", last_seq AS seq`,
    [entry.pairKey, entry.network, entry.destinationKey, entry.isBulk ? 1 : 0, entry.isGuess ?? false],
    'outbox_head',
  );
  return head!;
}
