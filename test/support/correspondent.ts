import { randomBytes } from 'node:crypto';
import type { Hash } from '../../src/common/ids.js';
import { OwnService } from '../../src/delivery/own-service.js';
import { NameService } from '../../src/naming/name-service.js';
import { decryptText, encryptText } from '../../src/protocol/crypto/payload.js';
import { signText } from '../../src/protocol/crypto/signature.js';
import { stringify } from '../../src/protocol/encoding/stringify.js';
import { buildEnvelope, type Envelope } from '../../src/protocol/envelope/envelope.js';
import {
  messageHash,
  parseMessage,
  signMessage,
  verifyMessage,
  type Attachment,
  type Dm3Message,
  type MessageType,
} from '../../src/protocol/envelope/message.js';
import { arrivalOf, openPostmark, type ProcessedEnvelope } from '../../src/protocol/envelope/postmark.js';
import { rpcRequest } from '../../src/protocol/json-rpc/json-rpc.js';
import type { Person } from '../../src/sandbox/people.js';
import { ask, type HttpAnswer } from './http-answer.js';
import type { TestGateway } from './test-gateway.js';

/** What somebody writes. The last four say what is wrong with it; without them it is as it should be. */
export interface Draft {
  /** ENS name. */
  readonly to: string;
  readonly text: string;
  /** Makes it a REPLY to the message of this hash. */
  readonly answers?: Hash;
  readonly attachments?: readonly Attachment[];
  /** Instead of NEW, or of REPLY where it answers something. */
  readonly type?: MessageType;
  /** The reply delivery instruction of an earlier message, given back. */
  readonly instruction?: string;
  /** Whom the delivery information, or the message, names as sender. */
  readonly envelopeFrom?: string;
  readonly messageFrom?: string;
  /** Encrypt for these instead of the receiver and the delivery service. */
  readonly receiverKey?: Uint8Array;
  readonly serviceKey?: Uint8Array;
}

export interface Letter {
  readonly hash: Hash;
  readonly message: Dm3Message;
  readonly envelope: ProcessedEnvelope;
  /** The message is signed by whom it names as sender. */
  readonly genuine: boolean;
}

/** Somebody with a dm3 client: real HTTP, real cryptography, and the freedom to do it wrong. */
export class Correspondent {
  constructor(
    private readonly gateway: Pick<TestGateway, 'crypto' | 'running' | 'deliveryServiceUrl'>,
    readonly person: Person,
  ) {}

  async envelope(draft: Draft): Promise<Envelope> {
    return (await this.#seal(draft)).envelope;
  }

  submit(envelope: unknown, id: string | number = 1): Promise<HttpAnswer> {
    const body = rpcRequest('dm3_submitMessage', [JSON.stringify(envelope)], id);
    return ask(`${this.gateway.deliveryServiceUrl}/rpc`, { body });
  }

  /** @returns the hash by which both sides refer to the message */
  async send(draft: Draft): Promise<Hash> {
    const { envelope, hash } = await this.#seal(draft);
    const { status, text } = await this.submit(envelope);
    if (status !== 200) throw new Error(`The message was not taken: ${text}`);
    return hash;
  }

  async token(): Promise<string> {
    const challenge = await this.challenge();
    const signature = signText(this.gateway.crypto, this.person.keys.signing.privateKey, challenge);
    return (await ask(this.#at('auth'), { body: { challenge, signature } })).json as string;
  }

  async challenge(): Promise<string> {
    return (await ask(this.#at('auth'))).json as string;
  }

  /** Oldest first. */
  async inbox(): Promise<Letter[]> {
    const { json } = await ask(this.#at('delivery/messages/incoming'), { token: await this.token() });
    const envelopes = (json as ProcessedEnvelope[]).sort((a, b) => this.#arrival(a) - this.#arrival(b));
    return Promise.all(envelopes.map((envelope) => this.#open(envelope)));
  }

  #at(call: string): string {
    return `${this.gateway.deliveryServiceUrl}/${call}/${this.person.name}`;
  }

  async #seal(draft: Draft): Promise<{ envelope: Envelope; hash: Hash }> {
    const { crypto, running } = this.gateway;
    const names = running.app.get(NameService);
    const message = this.#compose(draft);
    const instruction = draft.instruction === undefined ? {} : { deliveryInstruction: draft.instruction };
    const hash = messageHash(crypto, message);
    const receiverKey = draft.receiverKey ?? (await names.userProfile(await names.canonical(draft.to))).keys.encryption;
    const envelope = buildEnvelope(
      crypto,
      {
        encryptedMessage: encryptText(crypto, receiverKey, stringify(message), randomBytes),
        messageHash: hash,
        dialect: 'messageHash',
        deliveryInformation: { ...instruction, to: draft.to, from: draft.envelopeFrom ?? this.person.name },
        deliveryServiceEncryptionKey: draft.serviceKey ?? running.app.get(OwnService).keys.encryption.publicKey,
        senderSigningKey: this.person.keys.signing.privateKey,
      },
      randomBytes,
    );
    return { envelope, hash };
  }

  #compose({ to, text, answers, attachments, messageFrom, ...draft }: Draft): Dm3Message {
    const { name, keys } = this.person;
    const type = draft.type ?? (answers ? ('REPLY' as const) : ('NEW' as const));
    const reference = answers ? { referenceMessageHash: answers } : {};
    const metadata = { to, from: messageFrom ?? name, timestamp: Date.now(), type, ...reference };
    const unsigned = { message: text, metadata, ...(attachments ? { attachments } : {}) };
    return signMessage(this.gateway.crypto, unsigned, keys.signing.privateKey);
  }

  async #open(envelope: ProcessedEnvelope): Promise<Letter> {
    const { crypto, running } = this.gateway;
    const message = parseMessage(decryptText(crypto, this.person.keys.encryption, envelope.message));
    const names = running.app.get(NameService);
    const from = await names.canonical(message.metadata.from);
    const sender = await names.userProfile(from).catch(() => null);
    const genuine = sender !== null && verifyMessage(crypto, message, sender.keys.signing);
    return { hash: messageHash(crypto, message), message, envelope, genuine };
  }

  #arrival(envelope: ProcessedEnvelope): number {
    return arrivalOf(openPostmark(this.gateway.crypto, envelope.postmark, this.person.keys.encryption));
  }
}
