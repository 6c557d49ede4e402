import type { Clock } from '../../common/clock.js';
import { GatewayError, isRetryable } from '../../common/errors.js';
import type { EnsName, EthAddress } from '../../common/ids.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { InvalidNameError, parseAddressName } from '../../naming/ens-name.js';
import { NameNotFoundError } from '../../naming/errors.js';
import type { NameService } from '../../naming/name-service.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { verifyEnvelope, type Envelope } from '../../protocol/envelope/envelope.js';
import type { AccountService } from '../accounts/account.service.js';
import { ForgedSenderError, ReceiverUnknownError } from '../errors.js';
import type { ClaimedReceiver, Destination, VerifiedSender } from './destination.js';

/** Where an envelope goes: to somebody else's queue, or into a mailbox with the key its postmark is encrypted for. */
export type Receiver = { readonly name: EnsName; readonly address: EthAddress } & (
  | { readonly claimed: ClaimedReceiver; readonly encryptionKey?: undefined }
  | { readonly claimed: null; readonly encryptionKey: Uint8Array }
);

/** The sender as far as it could be checked; `reason` says why it could not. */
export type Sender = VerifiedSender | { readonly signingKey: null; readonly reason: string };

/** A busy mailbox is not looked up for every message; what is no mailbox is looked up each time. */
const MAILBOX_MS = 3_000;
const MAILBOXES_KEPT = 10_000;

interface Parts {
  readonly clock: Clock;
  readonly crypto: CryptoProvider;
  readonly names: NameService;
  readonly accounts: AccountService;
}

/** Finds out who an envelope is for and whom it is from. Names are labels: both are settled by address. */
export class Parties {
  readonly #destinations: Destination[] = [];

  /** Whose an address is: somebody's who claims it, or (null) an account's. */
  readonly #owners: BoundedCache<ClaimedReceiver | null>;

  constructor(private readonly parts: Parts) {
    const ttlMs = (claimed: ClaimedReceiver | null) => (claimed ? 0 : MAILBOX_MS);
    this.#owners = new BoundedCache({ clock: parts.clock, maxEntries: MAILBOXES_KEPT, ttlMs });
  }

  addDestination(destination: Destination): void {
    this.#destinations.push(destination);
  }

  /** @throws ReceiverUnknownError; NamingUnavailableError */
  async receiver(to: string): Promise<Receiver> {
    const name = await this.#receiverName(to);
    const claimedByName = parseAddressName(name) ? null : await this.#claim({ name, address: null });
    if (claimedByName) return { name, address: claimedByName.address, claimed: claimedByName };
    const address = await this.parts.names.resolveAddress(name);
    if (!address) throw new ReceiverUnknownError({ reason: 'its name resolves to no address' });
    const claimed = await this.#owners.get(address, () => this.#ownerOf(name, address));
    if (claimed) return { name, address, claimed };
    const { profile, keys } = await this.parts.accounts.profileOf(name, address);
    if (!this.parts.accounts.lists(profile))
      throw new ReceiverUnknownError({ reason: 'its profile names other services' });
    return { name, address, claimed, encryptionKey: keys.encryption };
  }

  /**
   * Checks the envelope's signature against the sender's profile.
   * @throws ForgedSenderError if there is a profile and the signature is not its owner's; NamingUnavailableError
   */
  async sender(from: string, envelope: Envelope): Promise<Sender> {
    let verified: VerifiedSender;
    try {
      verified = await this.#profiledSender(from);
    } catch (error) {
      if (!(error instanceof GatewayError) || isRetryable(error)) throw error;
      return { signingKey: null, reason: error.message.replace(/\.$/, '') };
    }
    if (!verifyEnvelope(this.parts.crypto, envelope, verified.signingKey)) throw new ForgedSenderError();
    return verified;
  }

  async #profiledSender(from: string): Promise<VerifiedSender> {
    const name = await this.parts.names.canonical(from);
    const address = await this.parts.names.resolveAddress(name);
    if (!address) throw new NameNotFoundError({ name });
    const { keys } = await this.parts.accounts.profileOf(name, address);
    return { name, address, signingKey: keys.signing };
  }

  async #receiverName(to: string): Promise<EnsName> {
    try {
      return await this.parts.names.canonical(to);
    } catch (error) {
      if (error instanceof InvalidNameError) throw new ReceiverUnknownError({ reason: 'its name is not an ENS name' });
      throw error;
    }
  }

  /** Null for an account. */
  async #ownerOf(name: EnsName, address: EthAddress): Promise<ClaimedReceiver | null> {
    const claimed = await this.#claim({ name, address });
    if (!claimed && !(await this.parts.accounts.stored(address)))
      throw new ReceiverUnknownError({ reason: 'it has no account here' });
    return claimed;
  }

  async #claim(receiver: { name: EnsName; address: EthAddress | null }): Promise<ClaimedReceiver | null> {
    for (const destination of this.#destinations) {
      const claimed = await destination.claim(receiver);
      if (claimed) return claimed;
    }
    return null;
  }
}
