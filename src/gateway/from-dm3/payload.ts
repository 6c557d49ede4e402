import type { EnsName, Hash } from '../../common/ids.js';
import type { DeliveryInformation, Envelope } from '../../protocol/envelope/envelope.js';

/** Sealed in `message.sealed_payload`: the envelope as it came, and what was checked before it was accepted. */
export interface FromDm3Payload {
  readonly envelope: Envelope;
  readonly deliveryInformation: DeliveryInformation;
  readonly encryptedMessageHash: Hash;
  readonly sender: { readonly name: EnsName; readonly signingKey: string };
  /** The dm3 name that the sender, who wrote from a foreign network, is linked with: he writes as that. */
  readonly writesAs?: EnsName;
  /** Of the queue, by its name. */
  readonly destination: string;
}

/** Sealed in `message.sealed_frozen`: what the adapter made of it. */
export interface FrozenRendering {
  readonly remoteIds: readonly string[];
  readonly body: string;
  readonly conversation: Readonly<Record<string, unknown>>;
}
