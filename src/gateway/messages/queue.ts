import { createHash } from 'node:crypto';
import type { EthAddress, MessageId, NetworkId } from '../../common/ids.js';
import type { Lane } from '../../outbox/lanes.js';
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
  /** How long delivery is tried, by network. */
  readonly expirySeconds: Readonly<Record<string, number>>;
  /** After how long authors are told of a delay, by network; 0: never. */
  readonly delayNotice: { readonly byNetwork: Readonly<Record<string, number>>; readonly others: number };
}

interface Entry {
  readonly id: MessageId;
  readonly kind: string;
  readonly network: string;
  readonly from: EthAddress;
  readonly to: EthAddress;
  readonly destination: string;
  readonly isBulk?: boolean;
  readonly isGuess?: boolean;
}

/** Puts messages into the durable queue: a pair is (sender's address, receiver's address), the unit of order. */
export class MessageQueue {
  constructor(private readonly parts: Parts) {}

  /** @param service name of the receiver's delivery service, where it is known and not ours */
  async toDm3(
    tx: Tx,
    id: MessageId,
    route: { from: EthAddress; to: EthAddress; service?: string | null; isBulk?: boolean },
  ): Promise<void> {
    const { service, ...rest } = route;
    const where = { destination: service ?? route.to, isGuess: !service };
    await this.#enqueue(tx, { id, kind: ITEM.toDm3, network: DM3_LANE, ...rest, ...where });
  }

  async toForeign(
    tx: Tx,
    id: MessageId,
    kind: typeof ITEM.fromDm3 | typeof ITEM.notice,
    route: { from: EthAddress; to: EthAddress; network: NetworkId; destination: string },
  ): Promise<void> {
    await this.#enqueue(tx, { id, kind, ...route });
  }

  /** The lane of a destination, as operators write it: `example.org` on `email`, `ds.eth` on `dm3`. */
  lane(network: string, destination: string): Lane {
    const key = this.parts.sealer.keyedHash('destination', network, destination);
    const sealedName = this.parts.sealer.sealJson(lanePlace(key), destination);
    return { key, network, sealedName };
  }

  /** @param lane as the queue keeps it */
  laneName({ key, sealedName }: { key: Buffer; sealedName: Buffer }): string {
    return this.parts.sealer.openJson<string>(lanePlace(key), sealedName);
  }

  async #enqueue(tx: Tx, { id, network, from, to, destination, ...entry }: Entry): Promise<void> {
    const { outbox, sealer, expirySeconds, delayNotice } = this.parts;
    await outbox.enqueue(tx, {
      ...entry,
      pairKey: sealer.keyedHash('pair', from, to),
      network,
      destinationKey: sealer.keyedHash('destination', network, destination),
      ref: id,
      expiresInSeconds: expirySeconds[network] ?? DEFAULT_EXPIRY[network] ?? 7 * DAY,
      noticeInSeconds: (delayNotice.byNetwork[network] ?? delayNotice.others) || null,
    });
  }
}

const lanePlace = (key: Buffer) => ({ table: 'outbox_lane', column: 'sealed_destination', row: key.toString('hex') });

/** The same for the same parts: a notice that is asked for twice exists once (RFC 9562 §5.8, custom). */
export function derivedId(...parts: readonly string[]): MessageId {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}` as MessageId;
}
