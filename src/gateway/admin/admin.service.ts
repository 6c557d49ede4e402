import { domainToASCII } from 'node:url';
import type { MessageId } from '../../common/ids.js';
import {
  pausedNetworks,
  pauseLane,
  pauseNetwork,
  resumeLane,
  resumeNetwork,
  troubledLanes,
  type LaneStatus,
} from '../../outbox/lanes.js';
import type { DeadLetter, NetworkCounts, Outbox, OutboxCounts, OutboxStatus } from '../../outbox/outbox.js';
import { killPoint } from '../../ops/kill-points.js';
import type { Transactor, Tx } from '../../storage/database.js';
import type { HistoryEntry, MessageStore, StoredMessage } from '../messages/message.store.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import { DM3_LANE, type MessageQueue } from '../messages/queue.js';

/** All that is known of a message's fate: states, codes, answers and times, never its content or its parties. */
export interface MessageTrace {
  readonly id: MessageId;
  readonly direction: StoredMessage['direction'];
  readonly network: string;
  readonly state: StoredMessage['state'];
  readonly code: string | null;
  /** That it took; while it waits, those that ended so far. */
  readonly attempts: number;
  readonly acceptedAt: Date;
  readonly frozenAt: Date | null;
  readonly settledAt: Date | null;
  /** Null once the queue has done with it. */
  readonly queue: OutboxStatus | null;
  readonly history: readonly HistoryEntry[];
  /** Other messages that the same id stands for, newest first. */
  readonly others: readonly MessageId[];
}

/** A destination that is paused or out of reach. */
export interface LaneView extends Omit<LaneStatus, 'key' | 'sealedName'> {
  readonly destination: string;
}

export interface QueueView {
  readonly networks: readonly (NetworkCounts & { readonly pausedAt: Date | null })[];
  readonly lanes: readonly LaneView[];
}

interface Parts {
  readonly db: Transactor;
  readonly outbox: Outbox;
  readonly messages: MessageStore;
  readonly trace: MessageTraceStore;
  readonly queue: MessageQueue;
  /** Our ids of what networks know by this one. */
  readonly ourIds: (id: string) => Promise<readonly string[]>;
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** What an operator sees and may do: over the admin port while the gateway runs, and from the command line. */
export class AdminService {
  constructor(private readonly parts: Parts) {}

  counts(): Promise<OutboxCounts> {
    return this.parts.outbox.counts(this.parts.db);
  }

  async queue(): Promise<QueueView> {
    const { db, outbox, queue } = this.parts;
    const [counts, paused, lanes] = [await outbox.overview(db), await pausedNetworks(db), await troubledLanes(db)];
    const pauses = new Map(paused.map(({ network, pausedAt }) => [network, pausedAt]));
    const idle = [...pauses.keys()].filter((name) => !counts.some(({ network }) => network === name)).map(nothingOn);
    return {
      networks: [...counts, ...idle].map((each) => ({ ...each, pausedAt: pauses.get(each.network) ?? null })),
      lanes: lanes.map(({ key, sealedName, ...lane }) => ({
        ...lane,
        destination: queue.laneName({ key, sealedName }),
      })),
    };
  }

  /** @param id ours, a dm3 hash, or the foreign network's: a Message-ID, an event id. Null if nothing is known by it */
  async message(id: string): Promise<MessageTrace | null> {
    const { db, outbox, messages } = this.parts;
    const [newest, ...others] = await this.#idsOf(id);
    const message = newest && (await messages.find(db, newest));
    if (!message) return null;
    const { direction, network, state, code, attempts, acceptedAt, frozenAt, settledAt } = message;
    const [queue, history] = [await outbox.statusOf(db, newest), await messages.history(db, newest)];
    const times = { acceptedAt, frozenAt, settledAt };
    const tried = attempts || (queue?.attempt ?? 0);
    return { id: newest, direction, network, state, code, attempts: tried, ...times, queue, history, others };
  }

  deadLetters(): Promise<readonly DeadLetter[]> {
    return this.parts.outbox.deadLetters(this.parts.db);
  }

  /** Puts a dead letter back at its old place. False if there is none. */
  retry(id: MessageId): Promise<boolean> {
    return this.parts.db.transaction(async (tx) => {
      const found = await this.parts.outbox.retry(tx, id);
      if (found) await this.parts.messages.reopened(tx, id);
      killPoint('operator.retrying');
      tx.afterCommit(() => killPoint('operator.retried'));
      return found;
    });
  }

  /** Gives a dead letter up: its content is erased. False if there is none. */
  discard(id: MessageId): Promise<boolean> {
    return this.parts.db.transaction(async (tx) => {
      const found = await this.parts.outbox.discard(tx, id);
      if (found) await this.parts.messages.discarded(tx, id);
      killPoint('operator.discarding');
      tx.afterCommit(() => killPoint('operator.discarded'));
      return found;
    });
  }

  /** Nothing more leaves for a network, or for one destination on it; what is under way is finished. */
  async pause(network: string, destination?: string): Promise<void> {
    const { db, queue } = this.parts;
    if (destination === undefined) await pauseNetwork(db, network);
    else await pauseLane(db, queue.lane(network, canonical(network, destination)));
  }

  /** The opposite, at once; also for a destination that rests since it was out of reach. False if neither held. */
  resume(network: string, destination?: string): Promise<boolean> {
    const { db, outbox } = this.parts;
    return db.transaction(async (tx) => {
      outbox.wakeWorkers(tx);
      return this.#resume(tx, network, destination);
    });
  }

  #resume(tx: Tx, network: string, destination?: string): Promise<boolean> {
    if (destination === undefined) return resumeNetwork(tx, network);
    return resumeLane(tx, this.parts.queue.lane(network, canonical(network, destination)).key);
  }

  async #idsOf(id: string): Promise<MessageId[]> {
    const { db, messages, trace, ourIds } = this.parts;
    const own = UUID.test(id) && (await messages.find(db, id));
    if (own) return [own.id];
    const known = await trace.find(db, id);
    if (known.length > 0) return known;
    const others = await ourIds(id.trim());
    return (await Promise.all(others.map((other) => trace.find(db, other)))).flat();
  }
}

/** As adapters name destinations: domains in their ASCII form, names of delivery services in small letters. */
function canonical(network: string, destination: string): string {
  const lower = destination.toLowerCase();
  return network === DM3_LANE ? lower : domainToASCII(lower) || lower;
}

function nothingOn(network: string): NetworkCounts {
  return { network, waiting: 0, dead: 0, held: 0, due: 0, parked: 0, later: 0, oldestAt: null };
}
