import type { EnsName, EthAddress, MessageId } from '../../common/ids.js';
import type { CheckedEnvelope, ClaimedReceiver, Destination } from '../../delivery/submission/destination.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import type { Tx } from '../../storage/database.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { MessageStore } from '../messages/message.store.js';
import { ITEM, type MessageQueue } from '../messages/queue.js';
import type { FromDm3Payload } from './payload.js';

interface Parts {
  readonly ghosts: GhostService;
  readonly adapters: AdapterRegistry;
  readonly messages: MessageStore;
  readonly queue: MessageQueue;
}

/** Takes the envelopes for ghosts out of the delivery service's hands, inside the submission's transaction. */
export class GatewayDestination implements Destination {
  constructor(private readonly parts: Parts) {}

  async claim({ name, address }: { name: EnsName; address: EthAddress | null }): Promise<ClaimedReceiver | null> {
    const { ghosts } = this.parts;
    const ghost = address ? await ghosts.byAddress(address) : await ghosts.byName(name);
    return (
      ghost && {
        address: ghost.address,
        accept: (tx, id, checked) => this.#accept(tx, ghost, id as MessageId, checked),
      }
    );
  }

  async #accept(tx: Tx, ghost: Ghost, id: MessageId, checked: CheckedEnvelope): Promise<void> {
    const { ghosts, adapters, messages, queue } = this.parts;
    const { network, foreign, address } = ghost;
    const identity = checked.sender.address;
    // A name may have been pointed at this ghost after its mail was taken in: still no relay between foreign networks.
    if (await ghosts.byAddress(identity, tx)) throw new RelayRefusedError();
    const destination = adapters.of(network).destinationOf(foreign);
    await ghosts.remember(tx, ghost);
    const row = { id, direction: 'from-dm3' as const, network, identity, ghost: address, conversation: null };
    await messages.add(tx, { ...row, payload: payloadOf(checked) });
    await queue.toForeign(tx, id, ITEM.fromDm3, { from: identity, to: address, network, destination });
  }
}

function payloadOf({ envelope, deliveryInformation, encryptedMessageHash, sender }: CheckedEnvelope): FromDm3Payload {
  const { name, signingKey } = sender;
  return { envelope, deliveryInformation, encryptedMessageHash, sender: { name, signingKey: toBase64(signingKey) } };
}
