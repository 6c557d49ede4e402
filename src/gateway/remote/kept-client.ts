import { ClientRMQ, type RmqOptions } from '@nestjs/microservices';
import { ChannelKeeper } from './broker-channel.js';

/** Nest's RabbitMQ client, which gets a new channel also when one ends by itself. */
export class KeptClient extends ClientRMQ {
  readonly #keeper: ChannelKeeper;

  constructor(options: Required<RmqOptions>['options'], onTrouble: (error: unknown) => void) {
    super(options);
    this.#keeper = new ChannelKeeper(() => this.client, onTrouble);
  }

  override async setupChannel(channel: Parameters<ChannelKeeper['setUp']>[0], resolve: () => void): Promise<void> {
    await this.#keeper.setUp(channel, () => super.setupChannel(channel, resolve));
  }

  override async close(): Promise<void> {
    this.#keeper.close();
    await super.close();
  }
}
