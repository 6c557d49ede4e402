import { GatewayError, isRetryable } from '../../common/errors.js';
import type { EnsName, EthAddress, Hash } from '../../common/ids.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { tryNormaliseName } from '../../naming/ens-name.js';
import type { ProfileResolver } from '../../naming/profile-resolver.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import { buildEnvelope, type DeliveryInformation, type Dialect } from '../../protocol/envelope/envelope.js';
import type { MessageType } from '../../protocol/envelope/message.js';
import type { UserProfile } from '../../protocol/profile/user-profile.js';
import { ForwardingFailedError } from '../errors.js';
import type { OwnService } from '../own-service.js';
import type { Origin } from '../submission/origin.js';
import type { SubmissionService } from '../submission/submission.service.js';
import type { DeliveryServiceClient, SubmitOutcome } from './delivery-service-client.js';
import type { ReceiverTerms } from './receiver-terms.js';

/** A message that is encrypted for its receiver; what surrounds it is made for each delivery service and attempt. */
export interface Parcel {
  readonly encryptedMessage: string;
  readonly messageHash: Hash;
  readonly messageType: MessageType;
  readonly deliveryInformation: DeliveryInformation;
  readonly senderAddress: EthAddress;
  readonly senderSigningKey: Uint8Array;
}

/** Newest clients' form first; on `invalid schema` the form of the published libraries. */
const DIALECTS = ['messageHash', 'encryptedMessageHash'] as const satisfies readonly Dialect[];

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly own: OwnService;
  readonly ownSizeLimit: number;
  readonly submissions: SubmissionService;
  readonly profiles: ProfileResolver;
  readonly client: DeliveryServiceClient;
  readonly terms: ReceiverTerms;
  readonly sizeLimits: BoundedCache<number | null>;
}

interface Refusal {
  readonly service: string;
  readonly reason: string;
  readonly retryable: boolean;
  /** It could not be reached at all. */
  readonly outage?: boolean;
  readonly cause?: unknown;
}

/** Brings a message to one of the receiver's delivery services, in the order of the receiver's profile. */
export class ForwardingService {
  constructor(private readonly parts: Parts) {}

  /**
   * @param origin where the message came from, for the rules of accounts here
   * @returns the dialect that was taken: the receiver's client knows the message by that hash
   * @throws ForwardingFailedError, retryable if any of the services may still take it
   */
  async forward(parcel: Parcel, receiver: UserProfile, origin?: Origin): Promise<Dialect> {
    const refusals: Refusal[] = [];
    for (const service of receiver.deliveryServices) {
      const result = await this.#try(service, parcel, origin);
      if (typeof result === 'string') return result;
      refusals.push(result);
    }
    throw failure(refusals);
  }

  /** The first of the receiver's delivery services, normalised; null if that is ours, or there is none. */
  firstService(receiver: UserProfile): EnsName | null {
    const [service = ''] = receiver.deliveryServices;
    const name = tryNormaliseName(service);
    return name === this.parts.own.name ? null : name;
  }

  /** Largest envelope the receiver's first answering delivery service takes, bytes; null if none says. */
  async sizeLimit(receiver: UserProfile): Promise<number | null> {
    for (const service of receiver.deliveryServices) {
      const limit = await this.#sizeLimitOf(service);
      if (limit !== null) return limit;
    }
    return null;
  }

  async #sizeLimitOf(service: string): Promise<number | null> {
    const name = tryNormaliseName(service);
    if (name === null) return null;
    if (name === this.parts.own.name) return this.parts.ownSizeLimit;
    return this.parts.sizeLimits.get(name, async () => {
      const profile = await this.parts.profiles.deliveryService(name).catch(() => null);
      return profile && this.parts.client.sizeLimit(profile.url);
    });
  }

  async #try(service: string, parcel: Parcel, origin?: Origin): Promise<Dialect | Refusal> {
    const name = tryNormaliseName(service);
    if (name === null) return { service, reason: 'it is not an ENS name', retryable: false };
    try {
      return name === this.parts.own.name
        ? await this.#deliverHere(parcel, origin)
        : await this.#deliverThere(name, parcel);
    } catch (cause) {
      const reason = cause instanceof GatewayError ? cause.message : 'it failed unexpectedly';
      return { service, reason, retryable: isRetryable(cause), cause };
    }
  }

  /** The same checks and the same postmark, without the network. */
  async #deliverHere(parcel: Parcel, origin?: Origin): Promise<Dialect> {
    const [dialect] = DIALECTS;
    const envelope = this.#envelope(parcel, dialect, this.parts.own.keys.encryption.publicKey);
    await this.parts.submissions.submit(envelope, origin);
    return dialect;
  }

  async #deliverThere(name: EnsName, parcel: Parcel): Promise<Dialect | Refusal> {
    const { url, keys } = await this.parts.profiles.deliveryService(name);
    const objection = await this.parts.terms.objection({ name, url }, parcel);
    if (objection) return { service: name, reason: objection, retryable: false };
    for (const dialect of DIALECTS) {
      const outcome = await this.parts.client.submit(url, this.#envelope(parcel, dialect, keys.encryption));
      if (outcome.kind === 'accepted') return dialect;
      if (outcome.kind !== 'other-dialect') return refusal(name, outcome);
    }
    return { service: name, reason: 'it understands neither form of the envelope', retryable: false };
  }

  #envelope(parcel: Parcel, dialect: Dialect, deliveryServiceEncryptionKey: Uint8Array) {
    const { crypto, random } = this.parts;
    return buildEnvelope(crypto, { ...parcel, dialect, deliveryServiceEncryptionKey }, random);
  }
}

function refusal(service: string, outcome: Exclude<SubmitOutcome, { kind: 'accepted' | 'other-dialect' }>): Refusal {
  const { reason } = outcome;
  if (outcome.kind === 'refused') return { service, reason, retryable: false };
  return { service, reason, retryable: true, outage: outcome.cause !== undefined, cause: outcome.cause };
}

function failure(refusals: readonly Refusal[]): ForwardingFailedError {
  if (refusals.length === 0) {
    return new ForwardingFailedError({ reason: "The receiver's profile names no delivery service.", retryable: false });
  }
  const said = refusals.map(({ service, reason }) => `${service}: ${reason.replace(/\.$/, '')}`).join('; ');
  const retryable = refusals.some((refusal) => refusal.retryable);
  return new ForwardingFailedError({
    reason: `No delivery service took the message (${said}).`,
    retryable,
    outage: refusals.every((refusal) => refusal.outage),
    cause: refusals[0]!.cause,
  });
}
