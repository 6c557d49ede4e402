import type { EthAddress, Hash } from '../../common/ids.js';
import type { Sealer } from '../../storage/sealer.js';

/** Stands for a sender in one account's mailbox: its address if it was verified, else the name it gave itself. */
export function senderKey(sealer: Sealer, receiver: EthAddress, sender: string): Buffer {
  return sealer.keyedHash('mailbox sender', receiver, sender.toLowerCase());
}

/** Stands for either hash of a message in one account's mailbox. */
export function hashKey(sealer: Sealer, receiver: EthAddress, hash: Hash): Buffer {
  return sealer.keyedHash('mailbox hash', receiver, hash.toLowerCase());
}
