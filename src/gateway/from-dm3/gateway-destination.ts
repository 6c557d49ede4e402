import type { EnsName, EthAddress, MessageId } from '../../common/ids.js';
import type { CheckedEnvelope, Destination } from '../../delivery/submission/destination.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import type { Tx } from '../../storage/database.js';
import type { AdapterRegistry } from '../adapters.js';
import type { GhostService } from '../ghosts/ghost.service.js';
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

  async claim({ name, address }: { name: EnsName; address: EthAddress | null }): Promise<EthAddress | null> {
    const { ghosts } = this.parts;
    const ghost = address ? await ghosts.byAddress(address) : await ghosts.byName(name);
    return ghost && ghost.address;
  }

  async accept(tx: Tx, id: string, checked: CheckedEnvelope): Promise<void> {
    const { ghosts, adapters, messages, queue } = this.parts;
    const { receiver, sender } = checked;
    const ghost = (await ghosts.byName(receiver.name)) ?? (await ghosts.byAddress(receiver.address))!;
    const destination = adapters.of(ghost.network).destinationOf(ghost.foreign);
    await ghosts.remember(tx, ghost);
    await messages.add(tx, {
      id: id as MessageId,
      direction: 'from-dm3',
      network: ghost.network,
      identity: sender.address,
      ghost: ghost.address,
      conversation: null,
      payload: payloadOf(checked),
    });
    const route = { from: sender.address, to: ghost.address, network: ghost.network, destination };
    await queue.toForeign(tx, id as MessageId, ITEM.fromDm3, route);
  }
}

function payloadOf({ envelope, deliveryInformation, encryptedMessageHash, sender }: CheckedEnvelope): FromDm3Payload {
  const { name, signingKey } = sender;
  return { envelope, deliveryInformation, encryptedMessageHash, sender: { name, signingKey: toBase64(signingKey) } };
}
