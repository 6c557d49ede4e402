import type { NetworkId } from '../../common/ids.js';

/** What the gateway knows of a message that it hands in itself. */
export type Origin =
  | ForeignOrigin
  /** It tells the receiver what became of the receiver's own message, so no rule refuses it. */
  | 'notice';

export interface ForeignOrigin {
  readonly network: NetworkId;
  /** Whether the network is sure that the sender is who it says. */
  readonly authenticated: boolean;
  /** Whether the receiver has written to this sender before. */
  isKnown(): Promise<boolean>;
}
