import { randomBytes } from 'node:crypto';
import type { Clock } from '../../src/common/clock.js';
import type { EnsName, EthAddress } from '../../src/common/ids.js';
import { AccountService, type SignUpPolicy } from '../../src/delivery/accounts/account.service.js';
import { Limits } from '../../src/delivery/limits/limits.js';
import { MailboxQuota, type Amount } from '../../src/delivery/limits/mailbox-quota.js';
import { SpamRulesStore } from '../../src/delivery/spam/rules.store.js';
import { SpamGuard } from '../../src/delivery/spam/spam-guard.js';
import { ChainAccount } from '../../src/naming/chain-account.js';
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
import type { ProcessedEnvelope } from '../../src/protocol/envelope/postmark.js';
import { signProfile, type UserProfile } from '../../src/protocol/profile/user-profile.js';
import { createPerson, type Person } from '../../src/sandbox/people.js';
import { keyOwners, MemoryEns, namesOver } from './memory-ens.js';
import { openTestStorage, type TestStorage } from './storage.js';
import { QueuePressure } from '../../src/outbox/pressure.js';

const SERVICE = 'ds.gateway.eth' as EnsName;
const NO_PRESSURE = { maxWaiting: 1_000_000, diskPaths: [], minFreeBytes: 0 };
const SIZE_LIMIT = 20_000;
const PLENTY = {
  rates: { submissionsPerMinute: 10_000, requestsPerMinute: 10_000, rpcCallsPerMinute: 10_000 },
  quota: { messages: 10_000, bytes: 100_000_000 },
};

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
  readonly chain: ChainAccount;
  readonly spam: SpamGuard;
  readonly submissions: SubmissionService;

  private constructor(
    private readonly storage: TestStorage,
    rpcUrl: string,
  ) {
    const { crypto, clock } = this;
    const { sealer } = storage;
    this.own = new OwnService(crypto, { rootSecret: randomBytes(32), name: SERVICE, publicUrl: 'https://ds.test' });
    const { names, profiles } = namesOver(this.ens);
    this.names = names;
    this.profiles = profiles;
    this.accounts = this.accountsWith({ policy: 'open', names: [] });
    this.parties = new Parties({ clock, crypto, names, accounts: this.accounts });
    this.mailbox = new MailboxStore(sealer);
    this.chain = chainAt(rpcUrl, clock);
    this.spam = this.spamGuard();
    this.submissions = this.submissionsWith(PLENTY.quota);
  }

  /** @param rpcUrl for balances; names are kept in memory */
  static async open(name: string, rpcUrl = process.env['TEST_RPC_URL']!): Promise<DeliveryWorld> {
    return new DeliveryWorld(await openTestStorage(name), rpcUrl);
  }

  get db() {
    return this.storage.db;
  }

  get sealer() {
    return this.storage.sealer;
  }

  /** Another one is what another process knows. */
  quotaOf(quota: Amount): MailboxQuota {
    return new MailboxQuota({ clock: this.clock, mailbox: this.mailbox, quota });
  }

  submissionsWith(quota: Amount): SubmissionService {
    const { crypto, clock, db, sealer, parties, mailbox, spam } = this;
    return new SubmissionService({
      crypto,
      random: randomBytes,
      clock,
      db,
      sealer,
      parties,
      mailbox,
      spam,
      keys: this.own.keys,
      limits: new Limits({ db, sealer, clock, rates: PLENTY.rates }),
      quota: this.quotaOf(quota),
      pressure: new QueuePressure({ db, limits: NO_PRESSURE, log: silentLog }),
      sizeLimit: SIZE_LIMIT,
      log: silentLog,
    });
  }

  /** Another one is what another process sees. */
  spamGuard(): SpamGuard {
    const { clock, db, names, chain: facts } = this;
    return new SpamGuard({ clock, db, names, facts, store: new SpamRulesStore(this.sealer) });
  }

  accountsWith(signUp: SignUpPolicy): AccountService {
    const { crypto, db, names } = this;
    return new AccountService({ crypto, db, names, owners: keyOwners, ownName: SERVICE, signUp });
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

  /** What lies in a mailbox, newest first. */
  async inbox({ address }: Pick<Person, 'address'>): Promise<ProcessedEnvelope[]> {
    const { entries } = await this.mailbox.page(this.db, address, 100);
    return entries.map(({ envelope }) => envelope);
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
    this.chain.close();
    return this.storage.close();
  }
}

/** Believes an answer for a minute of the world's time. */
function chainAt(rpcUrl: string, clock: Clock): ChainAccount {
  const chainId = Number(process.env['TEST_CHAIN_ID']);
  return new ChainAccount({
    rpcUrls: [rpcUrl],
    chainId,
    timeoutMs: 2_000,
    allowPrivateFetch: true,
    clock,
    ttlMs: 60_000,
  });
}

export function addressOf(digit: string): EthAddress {
  return `0x${digit.repeat(40)}` as EthAddress;
}
