import { randomUUID } from 'node:crypto';
import { ServerRMQ, type OutgoingResponse, type RmqContext, type RmqOptions } from '@nestjs/microservices';
import { ChannelKeeper } from './broker-channel.js';
import { CALL } from './broker-queue.js';

interface Options {
  readonly queue: Required<RmqOptions>['options'];
  /** Requests taken at a time. */
  readonly prefetch: number;
  /** Never rejects. */
  readonly answer: (packet: unknown) => Promise<unknown>;
  readonly onTrouble: (error: unknown) => void;
}

/** What is used of amqplib's channel. */
type Channel = Parameters<ChannelKeeper['setUp']>[0] & {
  ack(message: unknown): void;
  cancel(consumerTag: string): Promise<unknown>;
};

/**
 * Nest's RabbitMQ server for one queue, which finishes what it took before it closes: its own `close` cuts off requests
 * under way. Acknowledges when the answer is there; what is not acknowledged, the broker delivers again.
 */
export class BrokerServer extends ServerRMQ {
  readonly #consumerTag: string;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #keeper: ChannelKeeper;
  #consuming: Channel | undefined;

  constructor({ queue, prefetch, answer, onTrouble }: Options) {
    const consumerTag = randomUUID();
    super({ ...queue, noAck: false, prefetchCount: prefetch, consumerTag });
    this.#consumerTag = consumerTag;
    this.#keeper = new ChannelKeeper(() => this.server, onTrouble);
    this.addHandler(CALL, (packet, context: RmqContext) => this.#handle(() => answer(packet), context));
  }

  override async setupChannel(channel: Channel, callback: () => void): Promise<void> {
    this.#consuming = channel;
    await this.#keeper.setUp(channel, () => super.setupChannel(channel, callback));
  }

  /** Takes nothing more, answers what it took, closes. */
  override async close(): Promise<void> {
    this.#keeper.close();
    await this.#stopConsuming();
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await super.close();
  }

  /** An answer that cannot be sent is lost, and its request repeated by whoever misses it. */
  override sendMessage<T>(message: T, replyTo: string, correlationId: string): void {
    const buffer = Buffer.from(JSON.stringify(this.serializer.serialize(message as OutgoingResponse)));
    const sent: Promise<unknown> = this.channel?.sendToQueue(replyTo, buffer, { correlationId }) ?? Promise.resolve();
    sent.catch(() => {});
  }

  /** A channel that is gone has stopped by itself. */
  async #stopConsuming(): Promise<void> {
    try {
      await this.#consuming?.cancel(this.#consumerTag);
    } catch {
      // nothing more comes
    }
  }

  #handle(work: () => Promise<unknown>, context: RmqContext): Promise<unknown> {
    const answering = work().finally(() => acknowledge(context));
    this.#underWay.add(answering);
    void answering.finally(() => this.#underWay.delete(answering));
    return answering;
  }
}

/** Of a channel that is gone by now, the broker has taken the message back already: it comes again, and is recognised. */
function acknowledge(context: RmqContext): void {
  try {
    (context.getChannelRef() as Channel).ack(context.getMessage());
  } catch {
    // it is no longer ours
  }
}
