import { killPoint } from '../ops/kill-points.js';
import type { Database, Queryable, Tx } from '../storage/database.js';
import type { ClaimedItem } from './item-handler.js';

/** An item whose author is to be told that it still waits. */
export interface DelayedItem extends ClaimedItem {
  readonly headId: string;
  readonly seq: string;
}

/** Longest overdue first. */
export async function delayedItems(db: Queryable, limit: number): Promise<DelayedItem[]> {
  return db.query<{ [Field in keyof DelayedItem]: DelayedItem[Field] }>(
    `SELECT head_id AS "headId", seq, kind, ref, attempts AS attempt, created_at AS "createdAt", expires_at AS "expiresAt"
     FROM outbox_item WHERE notice_at <= now() ORDER BY notice_at LIMIT $1`,
    [limit],
    'outbox_delayed',
  );
}

/**
 * Has `tell` written down in the transaction that takes the item off the list: it happens once, or not at all if the
 * item was delivered meanwhile. `tell` comes first, since it locks another pair: those who bury an item do so, too.
 */
export async function tellOnce(db: Database, item: DelayedItem, tell: (tx: Tx) => Promise<void>): Promise<void> {
  const gone = new Error('delivered or told meanwhile');
  const work = db.transaction(async (tx) => {
    await tell(tx);
    const sql =
      'UPDATE outbox_item SET notice_at = NULL WHERE head_id = $1 AND seq = $2 AND notice_at <= now() RETURNING 1';
    if ((await tx.query(sql, [item.headId, item.seq])).length === 0) throw gone;
    killPoint('delay.telling');
    tx.afterCommit(() => killPoint('delay.told'));
  });
  await work.catch((error: unknown) => {
    if (error !== gone) throw error;
  });
}

/** One that cannot be told now does not keep the others waiting. */
export async function tellLater(db: Queryable, item: DelayedItem, seconds: number): Promise<void> {
  const sql = `UPDATE outbox_item SET notice_at = now() + make_interval(secs => $3)
    WHERE head_id = $1 AND seq = $2 AND notice_at IS NOT NULL`;
  await db.query(sql, [item.headId, item.seq, seconds]);
}
