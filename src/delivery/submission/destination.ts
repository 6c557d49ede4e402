import type { EnsName, EthAddress, Hash } from '../../common/ids.js';
import type { DeliveryInformation, Envelope } from '../../protocol/envelope/envelope.js';
import type { Tx } from '../../storage/database.js';

/** An envelope that passed every check and is about to be committed. */
export interface CheckedEnvelope {
  readonly envelope: Envelope;
  readonly deliveryInformation: DeliveryInformation;
  /** sha256 of `envelope.message`: the hash older clients refer to. */
  readonly encryptedMessageHash: Hash;
  readonly receiver: { readonly name: EnsName; readonly address: EthAddress };
  readonly sender: VerifiedSender;
}

/** The envelope's signature matches this key, which the sender's profile names. */
export interface VerifiedSender {
  readonly name: EnsName;
  readonly address: EthAddress;
  readonly signingKey: Uint8Array;
}

/** A receiver that somebody else than a mailbox takes envelopes for. */
export interface ClaimedReceiver {
  readonly address: EthAddress;
  /** Commits responsibility inside the submission's own transaction: the envelope and its place in the queue. */
  accept(tx: Tx, id: string, checked: CheckedEnvelope): Promise<void>;
}

/** Somebody who takes envelopes instead of a mailbox: the gateway, for its ghosts. */
export interface Destination {
  /** Null unless the receiver (by name, or by address where it is known) is one of theirs. */
  claim(receiver: { name: EnsName; address: EthAddress | null }): Promise<ClaimedReceiver | null>;
}
