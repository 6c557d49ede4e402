import type { Queryable } from '../../../src/storage/database.js';

/** What no row may be once nothing is under way any more: a sentence, and a query for the ids of offenders. */
const RULES: readonly (readonly [what: string, sql: string])[] = [
  ['an item still waits', 'SELECT ref AS id FROM outbox_item'],
  [
    'an item has no message',
    'SELECT ref AS id FROM outbox_item i WHERE NOT EXISTS (SELECT FROM message m WHERE m.id = i.ref)',
  ],
  [
    'a message is not settled, and nothing waits for it',
    `SELECT id FROM message m WHERE state IN ('accepted', 'frozen')
       AND NOT EXISTS (SELECT FROM outbox_item i WHERE i.ref = m.id)`,
  ],
  [
    'a head without items is due or parked',
    `SELECT id::text FROM outbox_head h WHERE (next_at IS NOT NULL OR parked)
       AND NOT EXISTS (SELECT FROM outbox_item i WHERE i.head_id = h.id)`,
  ],
  [
    'a pair without items is leased',
    `SELECT head_id::text AS id FROM outbox_lease l WHERE NOT EXISTS (SELECT FROM outbox_item i WHERE i.head_id = l.head_id)`,
  ],
  [
    'a failed message is no dead letter',
    `SELECT id FROM message m WHERE state = 'failed' AND NOT EXISTS (SELECT FROM outbox_dead d WHERE d.ref = m.id)`,
  ],
  [
    'a dead letter did not fail',
    `SELECT ref AS id FROM outbox_dead d WHERE NOT EXISTS (
       SELECT FROM message m WHERE m.id = d.ref AND m.state = 'failed')`,
  ],
  [
    'a message that was delivered, or given up, still has its content',
    `SELECT id FROM message WHERE state IN ('delivered', 'discarded') AND (sealed_payload IS NOT NULL OR sealed_frozen IS NOT NULL)`,
  ],
  [
    'a settled message has no time, or one that is not settled has one',
    `SELECT id FROM message WHERE (state IN ('delivered', 'failed', 'discarded')) <> (settled_at IS NOT NULL)`,
  ],
  [
    'two messages were accepted for one key, or none for a key that is seen',
    `SELECT ref AS id FROM seen GROUP BY ref HAVING count(*) > 1`,
  ],
  [
    'a message that left has no entry in the message map',
    `SELECT id FROM message m WHERE state = 'delivered' AND code IS NULL AND conversation_id IS NOT NULL
       AND direction <> 'notice' AND NOT EXISTS (SELECT FROM message_map p WHERE p.conversation_id = m.conversation_id)`,
  ],
  [
    'a failure is not told once in the history, or what became of it is not',
    `SELECT id FROM message m WHERE (state IN ('failed', 'discarded'))::int <> (
         SELECT count(*) FILTER (WHERE event = 'failed') - count(*) FILTER (WHERE event = 'retried')
         FROM message_event e WHERE e.message_id = m.id)
       OR (state = 'discarded')::int <> (
         SELECT count(*) FROM message_event e WHERE e.message_id = m.id AND e.event = 'discarded')`,
  ],
  [
    'a delay is told more than once in the history',
    `SELECT message_id AS id FROM message_event WHERE event = 'delay-told' GROUP BY 1 HAVING count(*) > 1`,
  ],
  [
    // A success ends a lane's trouble. On the fake network everybody is a destination, also `nobody`, where none comes.
    'a destination that takes messages is still held to be out of reach',
    `SELECT encode(destination_key, 'hex') AS id FROM outbox_lane WHERE network <> 'fake'`,
  ],
  [
    'what a homeserver brought still waits, was given up, or was kept',
    "SELECT id::text FROM matrix_inbox WHERE state <> 'done' OR sealed_event IS NOT NULL",
  ],
  [
    'a bridged room is still being closed, or is closed and has members',
    `SELECT p.id::text FROM matrix_portal p WHERE state = 'closing' OR (state = 'closed' AND EXISTS (
       SELECT FROM matrix_member m WHERE m.portal_id = p.id AND m.state IN ('joined', 'asked')))`,
  ],
  [
    'a conversation belongs to no message',
    `SELECT id FROM conversation c WHERE NOT EXISTS (SELECT FROM message m WHERE m.conversation_id = c.id)`,
  ],
];

/** How many keys must be there: one for each letter that was accepted from outside, one for each in a mailbox. */
const SEEN_MESSAGES = `SELECT count(*)::int AS count FROM seen s JOIN message m ON m.id = s.ref`;
const SEEN_OTHERS = `SELECT count(*)::int AS count FROM seen s LEFT JOIN message m ON m.id = s.ref WHERE m.id IS NULL`;

/**
 * Rows that a message left behind and that nobody will ever ask for again. Empty is well.
 * @param expected how many letters were accepted for the queue, and how many envelopes were put into mailboxes
 */
export async function leftovers(db: Queryable, expected: { queued: number; deposited: number }): Promise<string[]> {
  const found: string[] = [];
  for (const [what, sql] of RULES) {
    const rows = await db.query<{ id: string }>(sql);
    if (rows.length > 0) found.push(`${what}: ${rows.length} (${rows[0]!.id}…)`);
  }
  const [[messages], [others]] = await Promise.all([count(db, SEEN_MESSAGES), count(db, SEEN_OTHERS)]);
  if (messages !== expected.queued) found.push(`${expected.queued} letters were accepted, ${messages} keys are seen`);
  if (others !== expected.deposited) found.push(`${expected.deposited} envelopes came, ${others} keys are seen`);
  return found;
}

async function count(db: Queryable, sql: string): Promise<number[]> {
  return (await db.query<{ count: number }>(sql)).map((row) => row.count);
}

/** How much waits, for whoever waits until nothing does. */
export async function waiting(db: Queryable): Promise<number> {
  const sql = `SELECT greatest((SELECT count(*) FROM outbox_item),
    (SELECT count(*) FROM message WHERE state IN ('accepted', 'frozen')),
    (SELECT count(*) FROM matrix_inbox WHERE state = 'waiting'))::int AS count`;
  return (await count(db, sql))[0]!;
}

/** Whether anything was tried more often than it takes where every peer is well. */
export async function isTriedAgain(db: Queryable): Promise<boolean> {
  return (await count(db, 'SELECT count(*)::int AS count FROM outbox_item WHERE attempts > 1'))[0]! > 0;
}

/** Mails whose end is written down: what else the mail server took, it took on the way to our commit. */
export async function settledMails(db: Queryable): Promise<number> {
  const sql = `SELECT count(*)::int AS count FROM message
    WHERE network = 'email' AND direction IN ('from-dm3', 'notice') AND state = 'delivered' AND code IS NULL`;
  return (await count(db, sql))[0]!;
}

/** What the queue looks like, for the report of a run that does not come to rest. */
export async function queueState(db: Queryable): Promise<string> {
  const sql = `SELECT m.direction, m.network, m.state, i.attempts, i.last_code, l.until > now() AS leased,
      round(extract(epoch FROM h.next_at - now())) AS "dueIn"
    FROM message m LEFT JOIN outbox_item i ON i.ref = m.id LEFT JOIN outbox_head h ON h.id = i.head_id
      LEFT JOIN outbox_lease l ON l.head_id = h.id
    WHERE m.state IN ('accepted', 'frozen') ORDER BY i.head_id, i.seq LIMIT 20`;
  return JSON.stringify(await db.query(sql), null, 1);
}
