import { randomBytes } from 'node:crypto';
import { systemClock } from '../common/clock.js';
import { GatewayError } from '../common/errors.js';
import type { EnsName, EthAddress, Hash } from '../common/ids.js';
import { ChainReader } from '../naming/chain-reader.js';
import { EnsClient } from '../naming/ens-client.js';
import { normaliseName } from '../naming/ens-name.js';
import { OwnerCheck } from '../naming/owner-check.js';
import { ProfileResolver } from '../naming/profile-resolver.js';
import { decryptText, encryptText } from '../protocol/crypto/payload.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { signText } from '../protocol/crypto/signature.js';
import { stringify } from '../protocol/encoding/stringify.js';
import { buildEnvelope, type Envelope } from '../protocol/envelope/envelope.js';
import {
  messageHash,
  parseMessage,
  signMessage,
  verifyMessage,
  type Dm3Message,
} from '../protocol/envelope/message.js';
import { arrivalOf, openPostmark, type ProcessedEnvelope } from '../protocol/envelope/postmark.js';
import { errorOf, rpcRequest } from '../protocol/json-rpc/json-rpc.js';
import { createPerson, type Person } from '../sandbox/people.js';
import type { SandboxFile } from '../sandbox/sandbox.js';

export class ClientError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'CLIENT_FAILED', kind: 'invalid-input', message: reason });
  }
}

export interface ReceivedMessage {
  readonly hash: Hash | null;
  readonly message: Dm3Message;
  /** Milliseconds since the epoch, by the delivery service's postmark. */
  readonly arrivedAt: number;
  /** The sender's own signature fits the profile his name publishes. */
  readonly verified: boolean;
}

/** A message, ready for its receiver's delivery service. */
export interface Letter {
  /** Of the message, which a reply names. */
  readonly hash: Hash;
  readonly envelope: Envelope;
  readonly url: string;
}

/** A small dm3 client for the people of a sandbox. */
export class Dm3Client {
  readonly #me: Person;
  readonly #profiles: ProfileResolver;
  readonly #ens: EnsClient;
  readonly #chain: ChainReader;

  constructor(
    private readonly crypto: CryptoProvider,
    private readonly sandbox: SandboxFile,
    name: string,
  ) {
    this.#me = sandboxPerson(crypto, sandbox, name);
    const { rpcUrl, chainId } = sandbox;
    const chain = { rpcUrls: [rpcUrl], chainId, timeoutMs: 10_000, allowPrivateFetch: true };
    this.#chain = new ChainReader(chain);
    this.#ens = new EnsClient({ ...chain, registry: sandbox.ensRegistry as EthAddress });
    this.#profiles = new ProfileResolver({
      ens: this.#ens,
      crypto,
      owners: new OwnerCheck({ crypto, chain: this.#chain }),
      clock: systemClock,
      acceptBareProfiles: false,
      ipfsGateway: sandbox.http.url,
      allowPrivateFetch: true,
    });
  }

  /** Oldest first. */
  async inbox(): Promise<ReceivedMessage[]> {
    const token = await this.#login();
    const envelopes = (await this.#get(`delivery/messages/incoming/${this.#me.name}`, token)) as ProcessedEnvelope[];
    const received = await Promise.all(envelopes.map((envelope) => this.#open(envelope)));
    return received.sort((a, b) => a.arrivedAt - b.arrivedAt);
  }

  async acknowledge(messages: readonly ReceivedMessage[]): Promise<void> {
    const token = await this.#login();
    const acknowledgements = messages.map(({ hash, message }) => ({
      contactAddress: message.metadata.from,
      messageHash: hash,
    }));
    await this.#post(`delivery/messages/${this.#me.name}/syncAcknowledgements`, { acknowledgements }, token);
  }

  /** @param to an ENS name @returns the message's hash, which a reply to it names */
  async send(to: string, text: string, referenceMessageHash?: string): Promise<Hash> {
    const letter = await this.seal(to, text, referenceMessageHash);
    await this.submit(letter);
    return letter.hash;
  }

  /** Signs and encrypts without sending. @param to an ENS name */
  async seal(to: string, text: string, referenceMessageHash?: string): Promise<Letter> {
    const receiver = await this.#profiles.userProfile(normaliseName(to));
    const service = await this.#profiles.deliveryService(normaliseName(receiver.profile.deliveryServices[0]!));
    const message = this.#compose(receiver.name, text, referenceMessageHash);
    const hash = messageHash(this.crypto, message);
    const envelope = buildEnvelope(
      this.crypto,
      {
        encryptedMessage: encryptText(this.crypto, receiver.keys.encryption, stringify(message), randomBytes),
        messageHash: hash,
        dialect: 'messageHash',
        deliveryInformation: { to: receiver.name, from: this.#me.name },
        deliveryServiceEncryptionKey: service.keys.encryption,
        senderSigningKey: this.#me.keys.signing.privateKey,
      },
      randomBytes,
    );
    return { hash, envelope, url: service.url };
  }

  /** Resolves once the delivery service has taken it; handing it in again changes nothing. @throws ClientError */
  async submit({ url, envelope }: Letter): Promise<void> {
    await callService(`${url}/rpc`, { json: rpcRequest('dm3_submitMessage', [JSON.stringify(envelope)], 1) });
  }

  close(): void {
    this.#ens.close();
    this.#chain.close();
  }

  #compose(to: EnsName, text: string, reference?: string): Dm3Message {
    const metadata = {
      to,
      from: this.#me.name,
      timestamp: Date.now(),
      type: reference ? ('REPLY' as const) : ('NEW' as const),
      ...(reference ? { referenceMessageHash: reference } : {}),
    };
    return signMessage(this.crypto, { message: text, metadata }, this.#me.keys.signing.privateKey);
  }

  async #open(envelope: ProcessedEnvelope): Promise<ReceivedMessage> {
    const { encryption } = this.#me.keys;
    const message = parseMessage(decryptText(this.crypto, encryption, envelope.message));
    const sender = await this.#profiles.userProfile(normaliseName(message.metadata.from)).catch(() => null);
    const { messageHash: newer, encryptedMessageHash: older } = envelope.metadata;
    return {
      hash: (newer ?? older ?? null) as Hash | null,
      message,
      arrivedAt: arrivalOf(openPostmark(this.crypto, envelope.postmark!, encryption)),
      verified: sender !== null && verifyMessage(this.crypto, message, sender.keys.signing),
    };
  }

  async #login(): Promise<string> {
    const challenge = (await this.#get(`auth/${this.#me.name}`)) as string;
    const signature = signText(this.crypto, this.#me.keys.signing.privateKey, challenge);
    return (await this.#post(`auth/${this.#me.name}`, { challenge, signature })) as string;
  }

  #get(path: string, token?: string): Promise<unknown> {
    return callService(`${this.sandbox.deliveryService.url}/${path}`, { token });
  }

  #post(path: string, json: unknown, token?: string): Promise<unknown> {
    return callService(`${this.sandbox.deliveryService.url}/${path}`, { json, token });
  }
}

/** Somebody of a sandbox, with all keys. @throws ClientError */
export function sandboxPerson(crypto: CryptoProvider, sandbox: SandboxFile, name: string): Person {
  const user = sandbox.users.find((known) => known.name === name.toLowerCase());
  if (!user) {
    const known = sandbox.users.map((known) => known.name).join(', ');
    throw new ClientError({ reason: `The sandbox has no wallet of ${name}; it has those of ${known}.` });
  }
  const deliveryService = sandbox.deliveryService.name as EnsName;
  return createPerson(crypto, { name: user.name as EnsName, wallet: user.walletPrivateKey, deliveryService });
}

/** GET, or POST of JSON. @throws ClientError with what the service said */
export async function callService(
  url: string,
  { json, token }: { json?: unknown; token?: string } = {},
): Promise<unknown> {
  const response = await fetch(url, {
    method: json === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: json === undefined ? undefined : JSON.stringify(json),
  });
  const text = await response.text();
  if (!response.ok)
    throw new ClientError({ reason: errorOf(text)?.message ?? `The delivery service answered ${response.status}.` });
  return text === '' ? null : JSON.parse(text);
}
