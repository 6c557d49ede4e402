import { createRequire } from 'node:module';
import type { EncryptionEnvelop, Message, Postmark } from '@dm3-org/dm3-lib-messaging';
import type { DeliveryServiceProfile, ProfileKeys, SignedUserProfile } from '@dm3-org/dm3-lib-profile';
import type { providers } from 'ethers5';
import type { Person } from '../../src/sandbox/people.js';
import { eventually } from './eventually.js';
import { ask, type HttpAnswer } from './http-answer.js';
import type { TestGateway } from './test-gateway.js';

// The libraries that real clients are made of. They read these when they are loaded, and log every look-up otherwise.
process.env['REACT_APP_BACKEND'] = '';
process.env['LOG_LEVEL'] = 'error';
const require = createRequire(import.meta.url);
export const shared = require('@dm3-org/dm3-lib-shared') as typeof import('@dm3-org/dm3-lib-shared');
export const clientCrypto = require('@dm3-org/dm3-lib-crypto') as typeof import('@dm3-org/dm3-lib-crypto');
export const clientProfile = require('@dm3-org/dm3-lib-profile') as typeof import('@dm3-org/dm3-lib-profile');
export const messaging = require('@dm3-org/dm3-lib-messaging') as typeof import('@dm3-org/dm3-lib-messaging');
export const ethers5 = require('ethers5') as typeof import('ethers5');
/** What delivery services are made of; slow to load, and only few suites need it. */
export const loadDeliveryLibrary = () =>
  require('@dm3-org/dm3-lib-delivery') as typeof import('@dm3-org/dm3-lib-delivery');

/** The published libraries write `encryptedMessageHash`; clients built from later sources write `messageHash`. */
export const DIALECTS = ['messageHash', 'encryptedMessageHash'] as const;
export type Dialect = (typeof DIALECTS)[number];

/** An envelope in either dialect. */
export type AnyEnvelope = Omit<EncryptionEnvelop, 'metadata'> & {
  metadata: Omit<EncryptionEnvelop['metadata'], 'encryptedMessageHash'> & Partial<Record<Dialect, string>>;
};

/** What somebody writes; everything but `to` has the default of a plain new message, or of a reply to `about`. */
export interface Draft {
  readonly to: string;
  readonly from?: string;
  readonly text?: string;
  readonly type?: Message['metadata']['type'];
  /** Hash of the message it refers to. */
  readonly about?: string;
  readonly attachments?: Message['attachments'];
}

/** How it is sent. */
export interface Dispatch {
  readonly dialect?: Dialect;
  /** The name under which the receiver's profile is found, where `to` is another one. */
  readonly lookUp?: string;
  /** `to` of the delivery information, where it is spelled otherwise than in the message. */
  readonly deliverTo?: string;
  readonly deliveryInstruction?: string;
}

/** A fetched message, opened. */
export interface Received {
  readonly envelope: AnyEnvelope;
  readonly message: Message;
  readonly postmark: Postmark;
  /** The hash by which this client refers to it. */
  readonly hash: string;
}

/** `0x…` with the capitals of EIP-55, as clients write addresses. */
export const checksummed = (address: string): string => ethers5.utils.getAddress(address);

/** The older dialect's hash of an envelope, whichever it is written in. */
export const encryptedHashOf = ({ message }: AnyEnvelope): string => shared.sha256(shared.stringify(message)!);

/** A dm3 client made of the published libraries and ethers 5; only the HTTP calls are its own, as in every client. */
export class RealClient {
  readonly #profiles = new Map<string, Promise<SignedUserProfile>>();
  #token: string | null = null;

  private constructor(
    readonly name: string,
    readonly serviceUrl: string,
    readonly provider: providers.JsonRpcProvider,
    readonly keys: ProfileKeys,
    readonly profile: SignedUserProfile,
  ) {}

  /** Derives everything from the person's wallet, as on a new device. @param name what the person logs in as */
  static async create(gateway: TestGateway, person: Person, name: string = person.name): Promise<RealClient> {
    const wallet = new ethers5.Wallet(person.walletPrivateKey);
    const provider = ethers5Provider(gateway);
    const services = [...person.profile.profile.deliveryServices];
    const signer = (text: string) => wallet.signMessage(text);
    const { keys, signedProfile } = await clientProfile.createProfile(wallet.address, services, provider, { signer });
    return new RealClient(name, gateway.deliveryServiceUrl, provider, keys, signedProfile);
  }

  /** By its name through ENS; looked up once, as clients do. */
  profileOf(name: string): Promise<SignedUserProfile> {
    const known = this.#profiles.get(name) ?? this.lookUp(name);
    this.#profiles.set(name, known);
    return known;
  }

  /** Through ENS, wildcard resolvers and CCIP-read; the library has checked the owner's signature. */
  async lookUp(name: string): Promise<SignedUserProfile> {
    const profile = await clientProfile.getUserProfile(this.provider, name);
    if (!profile) throw new Error(`${name} has no dm3 profile.`);
    return profile;
  }

  async serviceOf({ profile }: SignedUserProfile): Promise<DeliveryServiceProfile> {
    const [name] = profile.deliveryServices;
    const fetchNothing = async () => undefined;
    return (await clientProfile.getDeliveryServiceProfile(name!, this.provider, fetchNothing))!;
  }

  /** A signed message. */
  compose({ to, from = this.name, text = '', about, type, attachments }: Draft): Promise<Message> {
    const key = this.keys.signingKeyPair.privateKey;
    switch (type ?? (about ? 'REPLY' : 'NEW')) {
      case 'REPLY':
        return messaging.createReplyMessage(to, from, text, key, about!, attachments);
      case 'EDIT':
        return messaging.createEditMessage(to, from, text, key, about!, attachments);
      case 'REACTION':
        return messaging.createReactionMessage(to, from, text, key, about!);
      case 'DELETE_REQUEST':
        return messaging.createDeleteRequestMessage(to, from, key, about!);
      case 'READ_OPENED':
        return messaging.createReadOpenMessage(to, from, 'READ_OPENED', key, about!);
      case 'READ_RECEIVED':
        return messaging.createReadReceiveMessage(to, from, 'READ_RECEIVED', key, about!);
      default:
        return messaging.createMessage(to, from, text, key, attachments);
    }
  }

  /** Encrypted for the receiver and for the receiver's delivery service. */
  async seal(message: Message, dispatch: Dispatch = {}): Promise<AnyEnvelope> {
    const { to, from } = message.metadata;
    const receiver = await this.profileOf(dispatch.lookUp ?? to);
    const deliverServiceProfile = await this.serviceOf(receiver);
    const information = { to: dispatch.deliverTo ?? to, from };
    const { encryptedEnvelop } = await messaging.buildEnvelop(message, clientCrypto.encryptAsymmetric, {
      to: { ensName: information.to, profile: receiver.profile },
      from: { ensName: from, profile: this.profile.profile },
      deliverServiceProfile,
      keys: this.keys,
    });
    const { dialect, deliveryInstruction } = dispatch;
    if (deliveryInstruction) {
      const text = shared.stringify({ ...information, deliveryInstruction })!;
      const encrypted = await clientCrypto.encryptAsymmetric(deliverServiceProfile.publicEncryptionKey, text);
      encryptedEnvelop.metadata.deliveryInformation = shared.stringify(encrypted)!;
    }
    return this.#sign(encryptedEnvelop, message, dialect ?? 'encryptedMessageHash');
  }

  /** As clients call it: no id, the envelope as text, the status decides. */
  submit(envelope: AnyEnvelope): Promise<HttpAnswer> {
    const request = { jsonrpc: '2.0', method: 'dm3_submitMessage', params: [JSON.stringify(envelope)] };
    return this.#ask('rpc', request);
  }

  /** Writes, seals and submits. @returns the hash by which replies refer to the message, and what was sent */
  async send(
    draft: Draft,
    dispatch: Dispatch = {},
  ): Promise<{ hash: string; message: Message; envelope: AnyEnvelope }> {
    const message = await this.compose(draft);
    const envelope = await this.seal(message, dispatch);
    expectOk(await this.submit(envelope));
    return { hash: hashIn(envelope), message, envelope };
  }

  submitProfile(profile: SignedUserProfile = this.profile): Promise<HttpAnswer> {
    return this.#ask(`profile/${this.name}`, profile);
  }

  fetchProfile(): Promise<HttpAnswer> {
    return this.#ask(`profile/${this.name}`);
  }

  challenge(): Promise<HttpAnswer> {
    return this.#ask(`auth/${this.name}`);
  }

  /** @param signingKey base64, another than one's own to fail */
  async answerChallenge(challenge: unknown, signingKey = this.keys.signingKeyPair.privateKey): Promise<HttpAnswer> {
    const signature = await clientCrypto.sign(signingKey, challenge as string);
    return this.#ask(`auth/${this.name}`, { challenge, signature });
  }

  /** @returns the session token, which is also kept */
  async logIn(): Promise<string> {
    const { json: challenge } = expectOk(await this.challenge());
    this.#token = expectOk(await this.answerChallenge(challenge)).json as string;
    return this.#token;
  }

  /** The waiting envelopes as the delivery service hands them out; `token` in place of an own login. */
  async fetchIncoming(token?: string): Promise<HttpAnswer> {
    return this.#ask(
      `delivery/messages/incoming/${this.name}/`,
      undefined,
      token ?? this.#token ?? (await this.logIn()),
    );
  }

  /** All waiting messages, oldest first. */
  async incoming(): Promise<Received[]> {
    const { json } = expectOk(await this.fetchIncoming());
    const received = await Promise.all((json as AnyEnvelope[]).map((envelope) => this.open(envelope)));
    return received.sort((a, b) => a.postmark.incommingTimestamp - b.postmark.incommingTimestamp);
  }

  async open(envelope: AnyEnvelope): Promise<Received> {
    const opened = await messaging.decryptEnvelop(envelope as EncryptionEnvelop, this.keys.encryptionKeyPair);
    return { envelope, message: opened.message, postmark: opened.postmark!, hash: hashIn(envelope) };
  }

  /** The message alone, of an envelope that no delivery service of this client has postmarked. */
  async openMessage({ message }: Pick<AnyEnvelope, 'message'>): Promise<Message> {
    const { encryptionKeyPair } = this.keys;
    return JSON.parse(await clientCrypto.decryptAsymmetric(encryptionKeyPair, JSON.parse(message))) as Message;
  }

  /** Waits for a message whose text holds these words. */
  receive(words: string): Promise<Received> {
    return eventually(`a message with "${words}" for ${this.name}`, async () =>
      (await this.incoming()).find(({ message }) => message.message?.includes(words)),
    );
  }

  async acknowledge(hashes: readonly string[], contactAddress = 'anybody.eth', token?: string): Promise<HttpAnswer> {
    const acknowledgements = hashes.map((messageHash) => ({ contactAddress, messageHash }));
    const path = `delivery/messages/${this.name}/syncAcknowledgements/`;
    return this.#ask(path, { acknowledgements }, token ?? this.#token ?? (await this.logIn()));
  }

  /** True if the named sender signed it, by the profile that its name publishes. */
  async isSignedBySender({ message }: Pick<Received, 'message'>): Promise<boolean> {
    const { from } = message.metadata;
    const { profile } = await this.profileOf(from);
    return messaging.checkMessageSignature(message, profile.publicSigningKey, from);
  }

  /** True if this client's delivery service certified the arrival of just this envelope. */
  async isPostmarked({ envelope, postmark }: Received): Promise<boolean> {
    const { signature, ...unsigned } = postmark;
    const { publicSigningKey } = await this.serviceOf(this.profile);
    const signed = shared.sha256(shared.stringify(unsigned)!);
    const isOfEnvelope = postmark.messageHash === ethers5.utils.hashMessage(shared.stringify(envelope.message)!);
    return isOfEnvelope && clientCrypto.checkSignature(publicSigningKey, signed, signature);
  }

  async #sign(envelope: EncryptionEnvelop, message: Message, dialect: Dialect): Promise<AnyEnvelope> {
    const { signature: _, encryptedMessageHash, ...rest } = envelope.metadata;
    const messageHash = shared.sha256(shared.stringify(message)!);
    const unsigned = { ...rest, [dialect]: { messageHash, encryptedMessageHash }[dialect] };
    const signature = await clientCrypto.sign(this.keys.signingKeyPair.privateKey, shared.stringify(unsigned)!);
    return { message: envelope.message, metadata: { ...unsigned, signature } };
  }

  #ask(path: string, body?: unknown, token?: string): Promise<HttpAnswer> {
    return ask(`${this.serviceUrl}/${path}`, { body, token });
  }
}

function ethers5Provider({ settings, world }: TestGateway): providers.JsonRpcProvider {
  const network = { name: 'test', chainId: settings.ens.chainId!, ensAddress: world.registry };
  return new ethers5.providers.StaticJsonRpcProvider(settings.ens.rpcUrls[0], network);
}

const hashIn = ({ metadata }: AnyEnvelope): string => (metadata.messageHash ?? metadata.encryptedMessageHash)!;

function expectOk(answer: HttpAnswer): HttpAnswer {
  if (answer.status !== 200) throw new Error(`Answered with ${answer.status}: ${answer.text}`);
  return answer;
}
