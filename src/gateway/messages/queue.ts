import { createHash } from 'node:crypto';
import type { EthAddress, MessageId, NetworkId } from '../../common/ids.js';
import type { Outbox } from '../../outbox/outbox.js';
import type { Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';

/** What an outbox item asks for. */
export const ITEM = { toDm3: 'to-dm3', fromDm3: 'from-dm3', notice: 'notice' } as const;

/** Queue lane of everything that goes to dm3 delivery services. */
export const DM3_LANE = 'dm3';

const DAY = 86_400;
const DEFAULT_EXPIRY: Readonly<Record<string, number>> = { email: 5 * DAY };

interface Parts {
  readonly outbox: Outbox;
  readonly sealer: Sealer;
  /** How long delivery is tried, by lane. */
  readonly expirySeconds: Readonly<Record<string, number>>;
}

/** Puts messages into the durable queue: a pair is (sender's address, receiver's address), the unit of order. */
export class MessageQueue {
  constructor(private readonly parts: Parts) {}

  async toDm3(tx: Tx, id: MessageId, from: EthAddress, to: EthAddress): Promise<void> {
    await this.#enqueue(tx, { id, kind: ITEM.toDm3, lane: DM3_LANE, from, to, destination: to });
  }

  async toForeign(
    tx: Tx,
    id: MessageId,
    kind: typeof ITEM.fromDm3 | typeof ITEM.notice,
    route: { from: EthAddress; to: EthAddress; network: NetworkId; destination: string },
  ): Promise<void> {
    await this.#enqueue(tx, { id, kind, lane: route.network, ...route });
  }

  async #enqueue(
    tx: Tx,
    item: { id: MessageId; kind: string; lane: string; from: EthAddress; to: EthAddress; destination: string },
  ): Promise<void> {
    const { outbox, sealer, expirySeconds } = this.parts;
    await outbox.enqueue(tx, {
      pairKey: sealer.keyedHash('pair', item.from, item.to),
      network: item.lane,
      destinationKey: sealer.keyedHash('destination', item.lane, item.destination),
      kind: item.kind,
      ref: item.id,
      expiresInSeconds: expirySeconds[item.lane] ?? DEFAULT_EXPIRY[item.lane] ?? 7 * DAY,
    });
  }
}

/** The same for the same parts: a notice that is asked for twice exists once (RFC 9562 §5.8, custom). */
export function derivedId(...parts: readonly string[]): MessageId {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}` as MessageId;
}
