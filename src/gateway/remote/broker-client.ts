import { randomUUID } from 'node:crypto';
import { RmqRecordBuilder } from '@nestjs/microservices';
import { filter, firstValueFrom, from, map, merge, timeout } from 'rxjs';
import { errorCode } from '../../common/errors.js';
import type { NetworkId } from '../../common/ids.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { CALL, CONNECT_MS, queueOptions, type BrokerSettings } from './broker-queue.js';
import { KeptClient } from './kept-client.js';
import { BrokerUnavailableError, RemoteSilentError } from './errors.js';
import { remoteSendStore } from './remote-send.store.js';
import { PacketSealer } from './sealed-packet.js';
import { answerFromJson, requestToJson, type RemoteAnswer, type RemoteCall } from './wire.js';

interface Parts {
  readonly broker: BrokerSettings;
  readonly network: NetworkId;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly log: EventLog;
}

/** Asks the process that runs the connection to a network. Connects at the first call, and again whenever that is lost. */
export class BrokerClient {
  readonly #client: KeptClient;
  readonly #packets: PacketSealer;

  constructor(private readonly parts: Parts) {
    const { broker, network, db, sealer, log } = parts;
    const queue = queueOptions({ broker, network, sealer, schema: db.schema });
    this.#client = new KeptClient(queue, (error) => this.#warn('broker.setup-failed', error));
    this.#packets = new PacketSealer(sealer, network);
    this.#client.status.subscribe((status) => log.info('broker.status', { network, component: 'worker', status }));
  }

  async isReachable(): Promise<boolean> {
    return this.#connect().then(
      () => true,
      () => false,
    );
  }

  /**
   * @throws BrokerUnavailableError: nothing was asked. RemoteSilentError: asked, and nobody knows what became of it. What
   *   the other process answered with; StorageUnavailableError
   */
  async call(call: RemoteCall): Promise<RemoteAnswer> {
    const { db, broker } = this.parts;
    await this.#connect();
    const until = await remoteSendStore.deadline(db, broker.replyTimeoutSeconds);
    const id = randomUUID();
    const answer = await this.#ask(this.#packets.seal('request', id, requestToJson({ until, call })));
    return answerFromJson(this.#open(id, answer));
  }

  async close(): Promise<void> {
    await this.#client.close().catch((error: unknown) => this.#warn('broker.close-failed', error));
  }

  /** Before anything is asked, so that a request does not lie in memory until the broker is back. */
  async #connect(): Promise<void> {
    try {
      await firstValueFrom(from(this.#client.connect()).pipe(timeout(CONNECT_MS)), { defaultValue: null });
    } catch (cause) {
      throw new BrokerUnavailableError({ cause });
    }
  }

  /** With the connection goes the address that the answer would come to. */
  async #ask(packet: object): Promise<unknown> {
    const patienceMs = this.parts.broker.replyTimeoutSeconds * 1_000;
    const record = new RmqRecordBuilder(packet).setOptions({ expiration: String(patienceMs) }).build();
    const lost = this.#client.status.pipe(
      filter((status) => status === 'disconnected'),
      map((status): never => {
        throw new Error(status);
      }),
    );
    try {
      return await firstValueFrom(merge(this.#client.send<unknown>(CALL, record), lost).pipe(timeout(patienceMs)));
    } catch (cause) {
      throw new RemoteSilentError({ cause });
    }
  }

  /** An answer that is none tells nothing about what became of the request. */
  #open(id: string, answer: unknown): unknown {
    try {
      const { id: answered, json } = this.#packets.open('answer', answer);
      if (answered === id) return json;
    } catch (cause) {
      this.#warn('broker.answer-unusable', cause);
      throw new RemoteSilentError({ cause });
    }
    throw new RemoteSilentError();
  }

  #warn(event: string, error: unknown): void {
    this.parts.log.warn(event, { network: this.parts.network, code: errorCode(error) });
  }
}
