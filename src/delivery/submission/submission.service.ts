import { randomUUID } from 'node:crypto';
import type { Clock } from '../../common/clock.js';
import type { EthAddress, Hash } from '../../common/ids.js';
import { killPoint } from '../../ops/kill-points.js';
import type { QueuePressure } from '../../outbox/pressure.js';
import { isRemembered, rememberOnce, SEEN_SECONDS } from '../../outbox/seen.js';
import type { EventLog } from '../../ops/event-log.js';
import type { CryptoProvider, RandomBytes } from '../../protocol/crypto/provider.js';
import type { ProfileKeys } from '../../protocol/crypto/keys.js';
import {
  encryptedMessageHash,
  envelopeSize,
  openDeliveryInformation,
  parseEnvelope,
  type DeliveryInformation,
  type Envelope,
} from '../../protocol/envelope/envelope.js';
import { createPostmark, processedEnvelope } from '../../protocol/envelope/postmark.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { EnvelopeTooLargeError, UnverifiedSenderError } from '../errors.js';
import { MailboxFullError } from '../limits/errors.js';
import type { Limits } from '../limits/limits.js';
import type { MailboxQuota } from '../limits/mailbox-quota.js';
import type { MailboxEntry, MailboxStore } from '../mailbox/mailbox.store.js';
import type { SpamGuard } from '../spam/spam-guard.js';
import type { ClaimedReceiver } from './destination.js';
import type { Origin } from './origin.js';
import type { Parties, Receiver, Sender } from './parties.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly keys: ProfileKeys;
  readonly parties: Parties;
  readonly limits: Limits;
  readonly quota: MailboxQuota;
  readonly spam: SpamGuard;
  readonly mailbox: MailboxStore;
  readonly pressure: QueuePressure;
  readonly sizeLimit: number;
  readonly log: EventLog;
}

/** One envelope on its way through the checks. */
interface Submission {
  readonly envelope: Envelope;
  /** Bytes. */
  readonly size: number;
  readonly information: DeliveryInformation;
  readonly hash: Hash;
  readonly receiver: Receiver;
  readonly sender: Sender;
}

/** An envelope that lies in a mailbox now. */
export interface Deposit {
  /** UUID of its row. */
  readonly id: string;
  readonly receiver: EthAddress;
  /** Bytes. */
  readonly size: number;
}

/**
 * `dm3_submitMessage`: parse, size, open the delivery information, find the receiver, verify the sender, look at the
 * sender's rate and the receiver's spam rules, and one commit that also remembers the envelope, so that a repeat is
 * answered the same and stored once.
 */
export class SubmissionService {
  readonly #listeners: ((deposit: Deposit) => void)[] = [];

  constructor(private readonly parts: Parts) {}

  /** Has `listener` called after each commit that put an envelope into a mailbox. */
  onDeposit(listener: (deposit: Deposit) => void): void {
    this.#listeners.push(listener);
  }

  /**
   * @param input the envelope as JSON text or as an object
   * @param origin only for messages that the gateway hands in
   * @throws MalformedEnvelopeError, EnvelopeTooLargeError, DecryptionError, ReceiverUnknownError, ForgedSenderError,
   *   UnverifiedSenderError, SpamRefusedError; retryable: OverloadedError, RateLimitedError, MailboxFullError, NamingUnavailableError,
   *   StorageUnavailableError
   */
  async submit(input: unknown, origin?: Origin): Promise<'accepted' | 'duplicate'> {
    const checked = await this.#check(input, origin);
    const id = randomUUID();
    const { claimed, encryptionKey } = checked.receiver;
    const first = await (claimed ? this.#handOver(id, checked, claimed) : this.#deposit(id, checked, encryptionKey));
    const status = first ? 'accepted' : 'duplicate';
    this.parts.log.info('envelope.submitted', { id, state: status, verdict: verdictOf(checked.sender) });
    return status;
  }

  #tell(deposit: Deposit): void {
    for (const listener of this.#listeners) listener(deposit);
  }

  async #check(input: unknown, origin: Origin | undefined): Promise<Submission> {
    const { crypto, keys, parties, limits, spam } = this.parts;
    const envelope = parseEnvelope(input);
    const size = this.#checkedSize(envelope);
    const information = openDeliveryInformation(crypto, envelope, keys.encryption);
    const receiver = await parties.receiver(information.to);
    if (!origin) this.#checkRoom(receiver);
    const sender = await parties.sender(information.from, envelope);
    await limits.submission(sender.signingKey ? sender.address : null, receiver.address);
    if (!receiver.claimed) await spam.check({ receiver: receiver.address, from: information.from, sender, origin });
    return { envelope, size, information, receiver, sender, hash: encryptedMessageHash(crypto, envelope.message) };
  }

  /** What the gateway itself hands in was accepted before, and makes room in the queue. @throws OverloadedError */
  #checkRoom({ claimed }: Receiver): void {
    if (claimed) this.parts.pressure.checkQueue();
    else this.parts.pressure.checkSpace();
  }

  #checkedSize(envelope: Envelope): number {
    const sizeBytes = envelopeSize(envelope);
    const limitBytes = this.parts.sizeLimit;
    if (sizeBytes > limitBytes) throw new EnvelopeTooLargeError({ sizeBytes, limitBytes });
    return sizeBytes;
  }

  /** One statement stores the envelope and remembers it. False if it was here before, even if the mailbox is full. */
  async #deposit(id: string, submission: Submission, encryptionKey: Uint8Array): Promise<boolean> {
    const { db, quota, mailbox } = this.parts;
    const { receiver, size } = submission;
    const seenKey = this.#seenKey(submission);
    try {
      const first = await quota.hold(receiver.address, size, async (claimRoom) => {
        await claimRoom(db);
        return mailbox.addOnce(db, id, this.#entry(submission, encryptionKey), seenKey);
      });
      if (first) this.#tell({ id, receiver: receiver.address, size });
      return first;
    } catch (error) {
      if (error instanceof MailboxFullError && (await isRemembered(db, seenKey))) return false;
      throw error;
    }
  }

  /** Whoever claims the receiver takes the envelope over in the transaction that remembers it. False if it was here. */
  async #handOver(id: string, submission: Submission, claimed: ClaimedReceiver): Promise<boolean> {
    const { envelope, information, hash, receiver, sender } = submission;
    if (!sender.signingKey) throw new UnverifiedSenderError({ reason: sender.reason });
    const { name, address } = receiver;
    const checked = {
      envelope,
      deliveryInformation: information,
      encryptedMessageHash: hash,
      receiver: { name, address },
      sender,
    };
    const isFirst = await this.parts.db.transaction(async (tx) => {
      const { first } = await rememberOnce(tx, this.#seenKey(submission), id, SEEN_SECONDS);
      if (first) await claimed.accept(tx, id, checked);
      killPoint('submit.committing');
      return first;
    });
    killPoint('submit.committed');
    return isFirst;
  }

  #seenKey({ receiver, hash }: Submission): Buffer {
    return this.parts.sealer.keyedHash('seen envelope', receiver.address, hash);
  }

  #entry(
    { envelope, size, information, hash, sender, receiver }: Submission,
    receiverEncryptionKey: Uint8Array,
  ): MailboxEntry {
    const { crypto, random, clock, keys } = this.parts;
    const receivedAt = clock.now();
    const postmark = createPostmark(
      crypto,
      {
        envelopeMessage: envelope.message,
        receivedAt,
        signingKey: keys.signing.privateKey,
        receiverEncryptionKey,
      },
      random,
    );
    return {
      receiver: receiver.address,
      sender: sender.signingKey ? sender.address : information.from,
      messageHash: (envelope.metadata.messageHash ?? null) as Hash | null,
      encryptedMessageHash: hash,
      envelope: processedEnvelope(forEitherClient(envelope, hash), information, postmark),
      size,
      verdict: verdictOf(sender),
      postmarkedAt: receivedAt,
    };
  }
}

const verdictOf = (sender: Sender) => (sender.signingKey ? 'verified' : 'unverified');

/** Clients of both generations read the mailbox: each finds the hash it refers to messages by. */
function forEitherClient(envelope: Envelope, encryptedMessageHash: Hash): Envelope {
  return { ...envelope, metadata: { encryptedMessageHash, ...envelope.metadata } };
}
