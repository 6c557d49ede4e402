import type { EthAddress, NetworkId } from '../../common/ids.js';
import type { ForeignOrigin } from '../../delivery/submission/origin.js';
import type { Queryable } from '../../storage/database.js';
import type { SenderIdentity } from '../adapter/adapter.js';
import type { MessageStore } from '../messages/message.store.js';

interface Parts {
  readonly db: Queryable;
  readonly messages: Pick<MessageStore, 'hasWritten'>;
}

/** Who writes to whom over which network. */
interface Contact {
  readonly network: NetworkId;
  readonly sender: SenderIdentity;
  /** The receiver's address. */
  readonly identity: EthAddress;
  readonly ghost: EthAddress;
}

/** What a receiver's spam rules are told of somebody on another network. */
export function originOf({ db, messages }: Parts, { network, sender, identity, ghost }: Contact): ForeignOrigin {
  const authenticated = sender.verdict === 'verified';
  return { network, authenticated, isKnown: () => messages.hasWritten(db, identity, ghost) };
}
