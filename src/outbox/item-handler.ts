import type { Tx } from '../storage/database.js';
import type { Lane } from './lanes.js';
import type { LeasedItem } from './leases.js';

export type ClaimedItem = Pick<LeasedItem, 'kind' | 'ref' | 'attempt' | 'createdAt' | 'expiresAt'>;

export interface Claim extends ClaimedItem {
  /**
   * Runs `work` in a transaction that commits only while this claim still holds the item.
   * @throws LeaseLostError if somebody took it over, or it is settled
   */
  commit<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Where this attempt goes, as soon as that is known: what fails there counts for the whole lane. */
  routedTo(lane: Lane): void;
}

/** Delivers one kind of items. It may be called again for an item it has delivered: running twice changes nothing. */
export interface ItemHandler {
  /**
   * Delivers. Resolves with what is to be written in the transaction that removes the item, or with nothing; that may
   * run again after a rollback. A retryable error means back-off; one that is not, or any once `expiresAt` has passed,
   * is permanent.
   */
  handle(claim: Claim): Promise<((tx: Tx) => Promise<void>) | void>;
  /** In the transaction that moves the item to the dead letters: records the state, enqueues the notice. */
  fail(tx: Tx, item: ClaimedItem, error: unknown): Promise<void>;
  /** In the transaction that puts the item back: records what the attempt was answered. */
  postponed?(tx: Tx, item: ClaimedItem, error: unknown, nextAt: Date): Promise<void>;
  /** Once, in the transaction that remembers it: tells the author that the item still waits. */
  delayed?(tx: Tx, item: ClaimedItem): Promise<void>;
}
