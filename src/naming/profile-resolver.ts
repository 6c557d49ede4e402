import type { Clock } from '../common/clock.js';
import { GatewayError } from '../common/errors.js';
import type { EnsName, EthAddress } from '../common/ids.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { parseJson } from '../protocol/encoding/json.js';
import { fromUtf8, utf8Length } from '../protocol/encoding/utf8.js';
import { parseDeliveryServiceProfile } from '../protocol/profile/delivery-service-profile.js';
import { MalformedRecordError } from '../protocol/profile/errors.js';
import type { PublicKeys } from '../protocol/profile/public-key.js';
import {
  checkRecordHash,
  DELIVERY_SERVICE_RECORD,
  parseRecord,
  USER_PROFILE_RECORD,
  type ProfileRecord,
} from '../protocol/profile/record.js';
import { parseUserProfile, type SignedUserProfile, type UserProfile } from '../protocol/profile/user-profile.js';
import { BoundedCache } from './bounded-cache.js';
import type { EnsClient } from './ens-client.js';
import { NameNotFoundError, NamingUnavailableError, ProfileInvalidError, ProfileNotFoundError } from './errors.js';
import type { OwnerCheck } from './owner-check.js';
import { safeFetch } from './safe-fetch.js';

export interface ResolvedProfile {
  readonly name: EnsName;
  /** What the name resolves to: the dm3 identity. */
  readonly address: EthAddress;
  readonly profile: UserProfile;
  /** Null for a bare profile. */
  readonly signed: SignedUserProfile | null;
  readonly keys: PublicKeys;
  /** True if the profile is signed by `address`; false only for bare profiles, where they are accepted. */
  readonly ownerVerified: boolean;
}

export interface ResolvedDeliveryService {
  readonly name: EnsName;
  /** Without a slash at its end; `<url>/rpc` takes envelopes. */
  readonly url: string;
  readonly keys: PublicKeys;
}

export interface ProfileResolverOptions {
  readonly ens: Pick<EnsClient, 'resolveAddress' | 'text'>;
  readonly crypto: CryptoProvider;
  readonly owners: Pick<OwnerCheck, 'isSignedBy'>;
  readonly clock: Clock;
  /** Finds profiles that nobody signed too, as the text of the specification describes them. */
  readonly acceptBareProfiles: boolean;
  /**
   * Documents of `ipfs://<cid>` are fetched from `<ipfsGateway><cid>`: `https://ipfs.io/ipfs/`. It may be on a private
   * network, since the operator chose it.
   */
  readonly ipfsGateway: string;
  /** Documents may be on private networks: for the sandbox and for tests only. */
  readonly allowPrivateFetch: boolean;
  /** Default 10,000 names of each kind. */
  readonly maxEntries?: number;
  /** How long a profile is believed. Default 5 minutes. */
  readonly positiveTtlMs?: number;
  /** How long an absent or unusable profile is believed to be so. Default 1 minute. */
  readonly negativeTtlMs?: number;
}

/** As much as is read of a linked document: strangers write the records, and we keep thousands. */
const MAX_RECORD_BYTES = 64 * 1024;
const MAX_ENTRIES = 10_000;
const POSITIVE_TTL_MS = 5 * 60_000;
const NEGATIVE_TTL_MS = 60_000;

/** What is cached: an answer, or the error that says why there is none. */
type Outcome<T> = { readonly value: T } | { readonly refusal: GatewayError };

/**
 * Finds and checks dm3 profiles by ENS name (dm3 MTP: profile lookup). Answers are cached for a bounded time; failures
 * to look something up never are.
 */
export class ProfileResolver {
  readonly #users: BoundedCache<Outcome<ResolvedProfile>>;
  readonly #deliveryServices: BoundedCache<Outcome<ResolvedDeliveryService>>;

  constructor(private readonly options: ProfileResolverOptions) {
    this.#users = newCache(options);
    this.#deliveryServices = newCache(options);
  }

  /**
   * The profile of a user, its owner's signature checked. A key or delivery service that was changed is seen after
   * five minutes at the latest (setting).
   * @param maxAgeMs for a caller who has reason to doubt what is known: what is older is looked up again
   * @throws NameNotFoundError, ProfileNotFoundError, ProfileInvalidError; NamingUnavailableError (retry)
   */
  userProfile(name: EnsName, maxAgeMs?: number): Promise<ResolvedProfile> {
    return cached(this.#users, name, () => this.#lookUpUser(name), maxAgeMs);
  }

  /**
   * The profile of a delivery service.
   * @throws ProfileNotFoundError, ProfileInvalidError; NamingUnavailableError (retry)
   */
  deliveryService(name: EnsName): Promise<ResolvedDeliveryService> {
    return cached(this.#deliveryServices, name, () => this.#lookUpDeliveryService(name));
  }

  async #lookUpUser(name: EnsName): Promise<ResolvedProfile> {
    const { ens } = this.options;
    const [address, text] = await Promise.all([ens.resolveAddress(name), ens.text(name, USER_PROFILE_RECORD)]);
    if (address === null) throw new NameNotFoundError({ name });
    if (text === null) throw new ProfileNotFoundError({ name });
    return this.#using(name, USER_PROFILE_RECORD, async () => {
      const parsed = parseUserProfile(await this.#document(text));
      return { name, address, ...parsed, ownerVerified: await this.#checkOwner(name, address, parsed.signed) };
    });
  }

  async #lookUpDeliveryService(name: EnsName): Promise<ResolvedDeliveryService> {
    const text = await this.options.ens.text(name, DELIVERY_SERVICE_RECORD);
    if (text === null) throw new ProfileNotFoundError({ name, record: DELIVERY_SERVICE_RECORD });
    return this.#using(name, DELIVERY_SERVICE_RECORD, async () => {
      const { profile, keys } = parseDeliveryServiceProfile(await this.#document(text));
      return { name, url: profile.url, keys };
    });
  }

  /** @returns whether the owner signed; only a bare profile may lack that, and only by setting. */
  async #checkOwner(name: EnsName, address: EthAddress, signed: SignedUserProfile | null): Promise<boolean> {
    if (signed !== null && (await this.options.owners.isSignedBy(signed, address))) return true;
    if (signed === null && this.options.acceptBareProfiles) return false;
    const reason = signed === null ? 'nobody signed it' : 'its signature is not by the address of the name';
    throw new ProfileInvalidError({ name, record: USER_PROFILE_RECORD, reason });
  }

  /** Whatever is wrong with a record becomes one error that names the record and quotes the complaint. */
  async #using<T>(name: EnsName, record: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof GatewayError) || error instanceof ProfileInvalidError) throw error;
      if (error.retryable) throw unreachable(name, record, error);
      throw new ProfileInvalidError({ name, record, reason: asClause(error.message), cause: error });
    }
  }

  async #document(text: string): Promise<unknown> {
    if (utf8Length(text) > MAX_RECORD_BYTES) {
      throw new MalformedRecordError({ reason: `it is larger than ${MAX_RECORD_BYTES} bytes` });
    }
    const record = parseRecord(text);
    if (record.kind === 'data') return record.json;
    return record.kind === 'ipfs' ? this.#fromIpfs(record.cid) : this.#fromWeb(record);
  }

  async #fromWeb({ url, dm3Hash }: ProfileRecord & { kind: 'https' }): Promise<unknown> {
    const { status, body } = await safeFetch(url, { allowPrivate: this.options.allowPrivateFetch });
    if (status !== 200) throw new DocumentRefusedError({ status, retryable: mayPass(status) });
    return checkRecordHash(this.options.crypto, body, dm3Hash);
  }

  /** What the gateway does not find now, others may have: only that the id is none (400) is for good. */
  async #fromIpfs(cid: string): Promise<unknown> {
    const { ipfsGateway, allowPrivateFetch: allowPrivate } = this.options;
    const ownOrigin = new URL(ipfsGateway).origin;
    const { status, body } = await safeFetch(`${ipfsGateway}${cid}`, { allowPrivate, ownOrigin });
    if (status !== 200) throw new DocumentRefusedError({ status, retryable: status !== 400 });
    return parseJson(fromUtf8(body));
  }
}

/** The host of a linked profile answered, but not with the document. */
class DocumentRefusedError extends GatewayError {
  constructor({ status, retryable }: { status: number; retryable: boolean }) {
    super({
      code: 'DOCUMENT_REFUSED',
      kind: 'not-found',
      message: `The document it links to was answered with HTTP ${status}.`,
      retryable,
    });
  }
}

/** True for what servers answer when they are in trouble or we ask too often (RFC 9110 §15, RFC 6585 §4). */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

function unreachable(name: EnsName, record: string, cause: GatewayError): NamingUnavailableError {
  return new NamingUnavailableError({
    subject: `The ${record} record of ${name}`,
    reason: asClause(cause.message),
    cause,
  });
}

/** A sentence as the end of another one. */
function asClause(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '');
}

function newCache<T>(options: ProfileResolverOptions): BoundedCache<Outcome<T>> {
  const { clock, maxEntries = MAX_ENTRIES, positiveTtlMs = POSITIVE_TTL_MS, negativeTtlMs = NEGATIVE_TTL_MS } = options;
  return new BoundedCache({
    clock,
    maxEntries,
    ttlMs: (outcome) => ('value' in outcome ? positiveTtlMs : negativeTtlMs),
  });
}

async function cached<T>(
  cache: BoundedCache<Outcome<T>>,
  name: EnsName,
  lookUp: () => Promise<T>,
  maxAgeMs?: number,
): Promise<T> {
  const outcome = await cache.get(name, () => settle(lookUp), maxAgeMs);
  if ('refusal' in outcome) throw outcome.refusal;
  return outcome.value;
}

/** A permanent refusal is an answer too. @throws whatever may pass */
async function settle<T>(lookUp: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await lookUp() };
  } catch (error) {
    if (error instanceof GatewayError && !error.retryable) return { refusal: error };
    throw error;
  }
}
