interface Channel {
  on(event: 'error', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
}

/** What is used of amqp-connection-manager's manager. */
interface Manager {
  reconnect(): void;
}

const PAUSE_MS = 1_000;

/**
 * Sees to it that there is a channel. The libraries open one whenever there is a new connection, but not when a channel
 * ends by itself (a queue declared otherwise, a broker that lost patience), nor when setting it up fails.
 */
export class ChannelKeeper {
  #current: Channel | undefined;
  #isClosing = false;

  constructor(
    private readonly manager: () => Manager | null,
    private readonly onTrouble: (error: unknown) => void,
  ) {}

  async setUp(channel: Channel, work: () => Promise<void>): Promise<void> {
    this.#current = channel;
    channel.on('error', () => {}); // 'close' follows
    channel.once('close', () => this.#replaceLater(channel));
    try {
      await work();
    } catch (error) {
      if (!this.#isClosing) this.onTrouble(error);
      this.#replaceLater(channel);
    }
  }

  close(): void {
    this.#isClosing = true;
  }

  /** Unless there is another by then, as after every new connection. */
  #replaceLater(channel: Channel): void {
    setTimeout(() => {
      if (this.#current === channel && !this.#isClosing) this.manager()?.reconnect();
    }, PAUSE_MS).unref();
  }
}
