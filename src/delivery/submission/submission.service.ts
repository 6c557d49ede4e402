import { randomUUID } from 'node:crypto';
import type { Clock } from '../../common/clock.js';
import type { Hash } from '../../common/ids.js';
import { rememberOnce, SEEN_SECONDS } from '../../outbox/seen.js';
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
import type { Database, Tx } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { EnvelopeTooLargeError, UnverifiedSenderError } from '../errors.js';
import type { MailboxStore } from '../mailbox/mailbox.store.js';
import type { Parties, Receiver, Sender } from './parties.js';

interface Parts {
  readonly crypto: CryptoProvider;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly db: Database;
  readonly sealer: Sealer;
  readonly keys: ProfileKeys;
  readonly parties: Parties;
  readonly mailbox: MailboxStore;
  readonly sizeLimit: number;
  readonly log: EventLog;
}

/** One envelope on its way through the checks. */
interface Submission {
  readonly envelope: Envelope;
  readonly information: DeliveryInformation;
  readonly hash: Hash;
  readonly receiver: Receiver;
  readonly sender: Sender;
}

/**
 * `dm3_submitMessage`: parse, size, open the delivery information, find the receiver, verify the sender, and one
 * commit that also remembers the envelope, so that a repeat is answered the same and stored once.
 */
export class SubmissionService {
  constructor(private readonly parts: Parts) {}

  /**
   * @param input the envelope as JSON text or as an object
   * @throws MalformedEnvelopeError, EnvelopeTooLargeError, DecryptionError, ReceiverUnknownError, ForgedSenderError,
   *   UnverifiedSenderError; retryable: NamingUnavailableError, StorageUnavailableError
   */
  async submit(input: unknown): Promise<'accepted' | 'duplicate'> {
    const checked = await this.#check(input);
    const id = randomUUID();
    const first = await this.parts.db.transaction((tx) => this.#commit(tx, id, checked));
    const status = first ? 'accepted' : 'duplicate';
    this.parts.log.info('envelope.submitted', { id, state: status, verdict: verdictOf(checked.sender) });
    return status;
  }

  async #check(input: unknown): Promise<Submission> {
    const { crypto, keys, parties } = this.parts;
    const envelope = parseEnvelope(input);
    this.#checkSize(envelope);
    const information = openDeliveryInformation(crypto, envelope, keys.encryption);
    const receiver = await parties.receiver(information.to);
    const sender = await parties.sender(information.from, envelope);
    return { envelope, information, receiver, sender, hash: encryptedMessageHash(crypto, envelope.message) };
  }

  #checkSize(envelope: Envelope): void {
    const sizeBytes = envelopeSize(envelope);
    const limitBytes = this.parts.sizeLimit;
    if (sizeBytes > limitBytes) throw new EnvelopeTooLargeError({ sizeBytes, limitBytes });
  }

  /** False if the same envelope is already ours. */
  async #commit(tx: Tx, id: string, submission: Submission): Promise<boolean> {
    const { sealer } = this.parts;
    const key = sealer.keyedHash('seen envelope', submission.receiver.address, submission.hash);
    const seen = await rememberOnce(tx, key, id, SEEN_SECONDS);
    if (!seen.first) return false;
    await this.#store(tx, id, submission);
    return true;
  }

  async #store(tx: Tx, id: string, { envelope, information, hash, receiver, sender }: Submission): Promise<void> {
    if (!receiver.claimed) return this.#deposit(tx, { envelope, information, hash, sender }, receiver);
    if (!sender.signingKey) throw new UnverifiedSenderError({ reason: sender.reason });
    const { name, address } = receiver;
    const checked = {
      envelope,
      deliveryInformation: information,
      encryptedMessageHash: hash,
      receiver: { name, address },
      sender,
    };
    await receiver.claimed.accept(tx, id, checked);
  }

  async #deposit(
    tx: Tx,
    { envelope, information, hash, sender }: Omit<Submission, 'receiver'>,
    receiver: Receiver & { claimed: null },
  ): Promise<void> {
    const { crypto, random, clock, keys, mailbox } = this.parts;
    const postmark = createPostmark(
      crypto,
      {
        envelopeMessage: envelope.message,
        receivedAt: clock.now(),
        signingKey: keys.signing.privateKey,
        receiverEncryptionKey: receiver.encryptionKey,
      },
      random,
    );
    await mailbox.add(tx, {
      receiver: receiver.address,
      sender: sender.signingKey ? sender.address : information.from,
      messageHash: (envelope.metadata.messageHash ?? null) as Hash | null,
      encryptedMessageHash: hash,
      envelope: processedEnvelope(envelope, information, postmark),
      size: envelopeSize(envelope),
      verdict: verdictOf(sender),
    });
  }
}

const verdictOf = (sender: Sender) => (sender.signingKey ? 'verified' : 'unverified');
