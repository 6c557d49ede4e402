import { ChannelNotOfferedError } from './errors.js';

/** As clients write them (dm3 delivery service REST, `/notifications`). */
export const CHANNEL_TYPES = ['EMAIL', 'PUSH'] as const;
export type ChannelType = (typeof CHANNEL_TYPES)[number];

/** One way to tell people that messages wait for them. */
export interface NotificationChannel {
  readonly type: ChannelType;
  /** What clients must know to use it. Everybody may read it. */
  readonly publicConfig: Readonly<Record<string, string>>;
  /** The text to keep of what a client calls the recipient. @throws RecipientInvalidError */
  parseRecipient(value: unknown): string;
  /**
   * Brings a recipient the code that proves whose it is; absent where none is needed.
   * @param id 64 hex digits: whoever gets the same twice may drop the second
   * @throws GatewayError
   */
  readonly sendCode?: (recipient: string, id: string, code: string) => Promise<void>;
  /** @throws RecipientGoneError; any other GatewayError says whether to try again */
  notify(recipient: string, id: string): Promise<void>;
}

/** The channels that this delivery service has. */
export class OfferedChannels {
  constructor(private readonly channels: readonly NotificationChannel[]) {}

  get types(): readonly ChannelType[] {
    return this.channels.map(({ type }) => type);
  }

  /** @throws ChannelNotOfferedError */
  get(type: ChannelType): NotificationChannel {
    const channel = this.channels.find((each) => each.type === type);
    if (!channel) throw new ChannelNotOfferedError({ type });
    return channel;
  }

  /** For the properties of the delivery service, in the reference's shape: without its secrets. */
  describe(): readonly { readonly type: ChannelType; readonly config: object }[] {
    return this.channels.map(({ type, publicConfig }) => ({ type, config: publicConfig }));
  }
}
