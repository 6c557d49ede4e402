import { randomBytes } from 'node:crypto';
import type { EnsName, EthAddress } from '../../src/common/ids.js';
import { AccountService, type SignUpPolicy } from '../../src/delivery/accounts/account.service.js';
import { MailboxStore } from '../../src/delivery/mailbox/mailbox.store.js';
import { OwnService } from '../../src/delivery/own-service.js';
import { Parties } from '../../src/delivery/submission/parties.js';
import { SubmissionService } from '../../src/delivery/submission/submission.service.js';
import { silentLog } from '../../src/ops/event-log.js';
import { createNobleProvider } from '../../src/protocol/crypto/noble.js';
import { encryptText } from '../../src/protocol/crypto/payload.js';
import { stringify } from '../../src/protocol/encoding/stringify.js';
import { fromHex, toHex } from '../../src/protocol/encoding/hex.js';
import { buildEnvelope, type Dialect, type Envelope } from '../../src/protocol/envelope/envelope.js';
import { messageHash, signMessage } from '../../src/protocol/envelope/message.js';
import { signProfile, type UserProfile } from '../../src/protocol/profile/user-profile.js';
import { createPerson, type Person } from '../../src/sandbox/people.js';
import { MemoryEns, namesOver } from './memory-ens.js';
import { openTestStorage, type TestStorage } from './storage.js';

const SERVICE = 'ds.gateway.eth' as EnsName;
const SIZE_LIMIT = 20_000;

/** The delivery service's own parts over a real database and an ENS in memory, without the Nest around them. */
export class DeliveryWorld {
  readonly crypto = createNobleProvider();
  readonly ens = new MemoryEns();
  readonly clock = { time: 1_790_000_000_000, now: () => this.clock.time };
  readonly own: OwnService;
  readonly names;
  readonly profiles;
  readonly accounts: AccountService;
  readonly parties: Parties;
  readonly mailbox: MailboxStore;
  readonly submissions: SubmissionService;

  private constructor(private readonly storage: TestStorage) {
    const { crypto, clock } = this;
    const { db, sealer } = storage;
    this.own = new OwnService(crypto, { rootSecret: randomBytes(32), name: SERVICE, publicUrl: 'https://ds.test' });
    const { names, profiles } = namesOver(this.ens);
    this.names = names;
    this.profiles = profiles;
    this.accounts = this.accountsWith({ policy: 'open', names: [] });
    this.parties = new Parties({ crypto, names, accounts: this.accounts });
    this.mailbox = new MailboxStore(sealer);
    const parts = { crypto, random: randomBytes, clock, db, sealer, keys: this.own.keys, mailbox: this.mailbox };
    this.submissions = new SubmissionService({
      ...parts,
      parties: this.parties,
      sizeLimit: SIZE_LIMIT,
      log: silentLog,
    });
  }

  static async open(name: string): Promise<DeliveryWorld> {
    return new DeliveryWorld(await openTestStorage(name));
  }

  get db() {
    return this.storage.db;
  }

  get sealer() {
    return this.storage.sealer;
  }

  accountsWith(signUp: SignUpPolicy): AccountService {
    const { crypto, db, names } = this;
    return new AccountService({ crypto, db, names, ownName: SERVICE, signUp });
  }

  /** Somebody new; published unless said otherwise, and with a mailbox here if `signUp`. */
  async person(name: string, options: { service?: string; publish?: boolean; signUp?: boolean } = {}): Promise<Person> {
    const deliveryService = (options.service ?? SERVICE) as EnsName;
    const person = createPerson(this.crypto, {
      name: name as EnsName,
      wallet: toHex(randomBytes(32)),
      deliveryService,
    });
    if (options.publish ?? true) this.ens.publish(person);
    if (options.signUp) await this.accounts.submitProfile(person.name, person.profile);
    return person;
  }

  /** The same person with another profile, signed by the same wallet. */
  withProfile(person: Person, changes: Partial<UserProfile>): Person {
    const profile = { ...person.profile.profile, ...changes };
    return { ...person, profile: signProfile(this.crypto, profile, fromHex(person.walletPrivateKey)) };
  }

  /** As a client makes it for this delivery service. The last two say what is wrong with it. */
  envelope(draft: {
    from: Person;
    to: Person;
    text: string;
    dialect?: Dialect;
    fromName?: string;
    toName?: string;
  }): Envelope {
    const { from, to, text, dialect = 'messageHash', fromName = from.name, toName = to.name } = draft;
    const metadata = { to: to.name, from: from.name, timestamp: this.clock.now(), type: 'NEW' as const };
    const message = signMessage(this.crypto, { message: text, metadata }, from.keys.signing.privateKey);
    return buildEnvelope(
      this.crypto,
      {
        encryptedMessage: encryptText(this.crypto, to.keys.encryption.publicKey, stringify(message), randomBytes),
        messageHash: messageHash(this.crypto, message),
        dialect,
        deliveryInformation: { to: toName, from: fromName },
        deliveryServiceEncryptionKey: this.own.keys.encryption.publicKey,
        senderSigningKey: from.keys.signing.privateKey,
      },
      randomBytes,
    );
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

export function addressOf(digit: string): EthAddress {
  return `0x${digit.repeat(40)}` as EthAddress;
}
