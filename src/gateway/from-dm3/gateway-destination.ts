import type { EnsName, EthAddress, MessageId } from '../../common/ids.js';
import type { CheckedEnvelope, ClaimedReceiver, Destination } from '../../delivery/submission/destination.js';
import { toBase64 } from '../../protocol/encoding/base64.js';
import { claimedHash } from '../../protocol/envelope/envelope.js';
import type { Tx } from '../../storage/database.js';
import { RelayRefusedError } from '../adapter/errors.js';
import type { AdapterRegistry } from '../adapters.js';
import type { Ghost, GhostService } from '../ghosts/ghost.service.js';
import type { SignedLink } from '../links/link.js';
import type { LinkedProfiles } from '../links/linked-profiles.js';
import type { MessageStore } from '../messages/message.store.js';
import type { MessageTraceStore } from '../messages/message-trace.store.js';
import { ITEM, type MessageQueue } from '../messages/queue.js';
import type { FromDm3Payload } from './payload.js';

interface Parts {
  readonly ghosts: GhostService;
  readonly links: Pick<LinkedProfiles, 'recorded'>;
  readonly adapters: AdapterRegistry;
  readonly messages: MessageStore;
  readonly trace: MessageTraceStore;
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
    const { ghosts, adapters, messages, trace, queue } = this.parts;
    const { network, foreign, address } = ghost;
    const linked = await this.#linkOf(tx, checked.sender.address);
    const identity = linked?.owner ?? checked.sender.address;
    const destination = adapters.of(network).destinationOf(foreign);
    await ghosts.remember(tx, ghost);
    const row = { id, direction: 'from-dm3' as const, network, identity, ghost: address, conversation: null };
    await messages.add(tx, { ...row, payload: { ...payloadOf(checked), destination, writesAs: linked?.main } });
    await trace.add(tx, id, hashesOf(checked));
    await queue.toForeign(tx, id, ITEM.fromDm3, { from: identity, to: address, network, destination });
  }

  /**
   * Whom a sender is linked with, if it is a ghost: it writes as that dm3 name. Null for everybody of dm3.
   * @throws RelayRefusedError for other ghosts. A name may have been pointed at one after its mail was taken in.
   */
  async #linkOf(tx: Tx, sender: EthAddress): Promise<SignedLink | null> {
    const { ghosts, links } = this.parts;
    if (!(await ghosts.byAddress(sender, tx))) return null;
    const link = await links.recorded(tx, sender); // ENS was asked at the door: nobody waits for it in a transaction
    if (!link) throw new RelayRefusedError();
    return link;
  }
}

/** Both generations of clients know their message by one of them. */
function hashesOf({ envelope, encryptedMessageHash }: CheckedEnvelope): string[] {
  return [...new Set([encryptedMessageHash, claimedHash(envelope) ?? encryptedMessageHash])];
}

function payloadOf(checked: CheckedEnvelope): Omit<FromDm3Payload, 'destination'> {
  const { envelope, deliveryInformation, encryptedMessageHash, sender } = checked;
  const { name, signingKey } = sender;
  return { envelope, deliveryInformation, encryptedMessageHash, sender: { name, signingKey: toBase64(signingKey) } };
}
