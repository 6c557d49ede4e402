import { setTimeout } from 'node:timers/promises';
import { errorCode } from '../../common/errors.js';
import type { EthAddress } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import { ChannelListener } from '../../outbox/channel-listener.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import type { Deposit } from '../submission/submission.service.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly log: EventLog;
}

/** What travels: the id of a row in `mailbox`, and what stands for its receiver. */
export interface Arrival {
  readonly id: string;
  readonly account: string;
}

/** Under load, what comes within so long shares a signal; a single message is told of at once. */
const PAUSE_MS = 5;
/** Of accounts that get mail again and again. */
const KNOWN_KEYS = 10_000;

/** A notification holds less than 8000 bytes (PostgreSQL, NOTIFY); an arrival takes 80. */
const ARRIVALS_PER_SIGNAL = 90;

/**
 * Tells every process of this service what has come into which mailbox. A signal is a hint: it is sent after the commit
 * it speaks of and may be lost with its process, so whoever listens also looks now and then (docs/adr/0007).
 */
export class ArrivalChannel {
  /** Channels are shared by a whole PostgreSQL database, hence the schema. */
  readonly #name: string;
  readonly #waiting: Arrival[] = [];
  #sending: Promise<void> | undefined;
  readonly #keys = new Map<EthAddress, string>();

  constructor(private readonly parts: Parts) {
    this.#name = `mailbox/${parts.db.schema}`;
  }

  /** Stands for an account on the channel, which anybody with access to the database can hear. */
  accountKey(address: EthAddress): string {
    const known = this.#keys.get(address);
    if (known !== undefined) return known;
    const key = this.parts.sealer.keyedHash('mailbox arrival', address).toString('base64url');
    if (this.#keys.size >= KNOWN_KEYS) this.#keys.delete(this.#keys.keys().next().value!);
    this.#keys.set(address, key);
    return key;
  }

  /** In the order of the calls; nobody waits for it. What arrives while a signal is under way goes with the next. */
  announce({ id, receiver }: Pick<Deposit, 'id' | 'receiver'>): void {
    this.#waiting.push({ id, account: this.accountKey(receiver) });
    this.#sending ??= this.#send();
  }

  /** @param onConnect called when signals begin to come, and again after they could not for a while */
  listener(onArrival: (arrival: Arrival) => void, onConnect: () => void): ChannelListener {
    const onSignal = (payload: string | null): void => {
      if (payload === null) return onConnect();
      for (const arrival of parsed(payload)) onArrival(arrival);
    };
    return new ChannelListener(this.parts.db, this.#name, onSignal, this.parts.log);
  }

  /** Resolves when everything announced is on its way. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#signal(this.#waiting.splice(0, ARRIVALS_PER_SIGNAL));
      if (this.#waiting.length < ARRIVALS_PER_SIGNAL) await setTimeout(PAUSE_MS);
    }
    this.#sending = undefined;
  }

  async #signal(arrivals: readonly Arrival[]): Promise<void> {
    const payload = arrivals.map(({ id, account }) => `${id} ${account}`).join(',');
    try {
      await this.parts.db.query('SELECT pg_notify($1, $2)', [this.#name, payload], 'mailbox-announce');
    } catch (error) {
      this.parts.log.warn('mailbox.announce-failed', { code: errorCode(error), count: arrivals.length });
    }
  }
}

function parsed(payload: string): Arrival[] {
  return payload.split(',').map((arrival) => {
    const [id = '', account = ''] = arrival.split(' ');
    return { id, account };
  });
}
