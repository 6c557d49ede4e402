import type { EnsName, EthAddress } from '../../common/ids.js';
import type { BoundedCache } from '../../naming/bounded-cache.js';
import { NamingUnavailableError } from '../../naming/errors.js';
import type { DeliveryInformation } from '../../protocol/envelope/envelope.js';
import type { MessageType } from '../../protocol/envelope/message.js';
import type { ProfileExtension } from '../../protocol/profile/extension.js';
import { explainRule } from '../spam/errors.js';
import { brokenThreshold, type BrokenRule, type ChainFacts } from '../spam/evaluate.js';
import type { DeliveryServiceClient } from './delivery-service-client.js';

interface Parts {
  readonly client: DeliveryServiceClient;
  readonly facts: ChainFacts;
  readonly extensions: BoundedCache<ProfileExtension | null>;
}

/** As much of a message as a receiver may object to. */
interface Consignment {
  readonly messageType: MessageType;
  readonly deliveryInformation: DeliveryInformation;
  readonly senderAddress: EthAddress;
}

/** What receivers elsewhere say they take: nothing is sent that would be refused anyway. */
export class ReceiverTerms {
  constructor(private readonly parts: Parts) {}

  /** A sentence for the sender if the receiver would not take the message; null if it would, or does not say. */
  async objection(service: { name: EnsName; url: string }, message: Consignment): Promise<string | null> {
    const { messageType, deliveryInformation, senderAddress } = message;
    const extension = await this.#extensionOf(service, deliveryInformation.to);
    if (!extension) return null;
    if (!extension.supportedMessageTypes.includes(messageType)) {
      return `The receiver takes no messages of the type ${messageType}.`;
    }
    const broken = await this.#brokenRule(extension, senderAddress);
    return broken && explainRule(broken);
  }

  #extensionOf({ name, url }: { name: EnsName; url: string }, receiver: string): Promise<ProfileExtension | null> {
    const { client, extensions } = this.parts;
    return extensions.get(`${name} ${receiver}`, () => client.profileExtension(url, receiver));
  }

  /** Null also where our chain does not answer: then it is for the receiver's delivery service to decide. */
  async #brokenRule({ spamFilterRules = {} }: ProfileExtension, sender: EthAddress): Promise<BrokenRule | null> {
    try {
      return await brokenThreshold(spamFilterRules, sender, this.parts.facts);
    } catch (error) {
      if (error instanceof NamingUnavailableError) return null;
      throw error;
    }
  }
}
