import type { EnsName, ForeignAddress, Hash, MessageId, RemoteId } from '../../common/ids.js';
import type { MessageType } from '../../protocol/envelope/message.js';
import type { AdapterContext, SenderIdentity } from '../adapter/adapter.js';
import type { StoredNeutral } from '../messages/neutral-json.js';

/** Sealed in `message.sealed_payload` from acceptance on. */
export interface ToDm3Payload {
  readonly foreign: ForeignAddress;
  /** The receiver, normalised and written out. */
  readonly receiver: EnsName;
  /** The same by its top-level alias, where the author wrote it so. */
  readonly writtenAs?: EnsName;
  readonly message: StoredNeutral;
  readonly identity: SenderIdentity | null;
  /** Null for notices, which the foreign side never sees. */
  readonly origin: {
    readonly remoteId: RemoteId;
    readonly inReplyTo: readonly RemoteId[];
    readonly context: AdapterContext;
  } | null;
  /** Set for notices: the message they are about. */
  readonly reference: Hash | null;
  /** Says nothing to a receiver who does not have what it is about. */
  readonly onlyIfKnown?: boolean;
  /** Set for notices of a delay: our id of what waits. Once that has arrived there is nothing to tell. */
  readonly delayOf?: MessageId;
}

/** Sealed in `message.sealed_frozen` from the first attempt on; made again only if the receiver's key changes. */
export interface FrozenParcel {
  readonly receiverKey: string;
  readonly encryptedMessage: string;
  readonly messageHash: Hash;
  readonly encryptedMessageHash: Hash;
  readonly messageType: MessageType;
}
