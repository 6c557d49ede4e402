import { callService, Dm3Client } from '../../../src/cli/dm3-client.js';
import type { Hash } from '../../../src/common/ids.js';
import { NOTICE_PREFIX } from '../../../src/gateway/notices/wording.js';
import { decryptText } from '../../../src/protocol/crypto/payload.js';
import type { CryptoProvider } from '../../../src/protocol/crypto/provider.js';
import { signText } from '../../../src/protocol/crypto/signature.js';
import { parseMessage } from '../../../src/protocol/envelope/message.js';
import type { ProcessedEnvelope } from '../../../src/protocol/envelope/postmark.js';
import type { Person } from '../../../src/sandbox/people.js';
import type { SandboxFile } from '../../../src/sandbox/sandbox.js';
import { eventually } from '../../support/eventually.js';
import type { ForeignService } from '../../support/foreign-service.js';
import { lastParagraph, type Arrival, type Arrivals, type Letter } from './letters.js';

/** Somebody whose mailbox is in the service under test. */
export class AccountSide implements Arrivals {
  readonly neverRepeats = true;
  readonly #arrivals: Arrival[] = [];
  readonly #client: Dm3Client;

  constructor(
    private readonly crypto: CryptoProvider,
    private readonly world: SandboxFile,
    private readonly person: Person,
  ) {
    this.#client = new Dm3Client(crypto, world, person.name);
  }

  get where(): string {
    return `the mailbox of ${this.person.name}`;
  }

  signUp(): Promise<unknown> {
    return this.#call(`profile/${this.person.name}`, this.person.profile);
  }

  /** @param to an ENS name */
  async write(to: string, text: string): Promise<Pick<Letter, 'id' | 'handIn'>> {
    const letter = await this.#client.seal(to, text);
    return { id: letter.hash, handIn: () => this.#client.submit(letter) };
  }

  /** Takes out what is there: whatever comes after that, comes again. */
  async all(): Promise<readonly Arrival[]> {
    const takeOut = () => this.#takeOut().catch(() => null); // as clients do that are told to come back
    this.#arrivals.push(...(await eventually(`what is in ${this.where}`, takeOut)));
    return this.#arrivals;
  }

  close(): void {
    this.#client.close();
  }

  async #takeOut(): Promise<Arrival[]> {
    const token = await this.#login();
    const path = `delivery/messages/incoming/${this.person.name}`;
    const envelopes = ((await this.#call(path, undefined, token)) as ProcessedEnvelope[]).toReversed();
    const acknowledgements = envelopes.map(({ metadata }) => ({ messageHash: metadata.encryptedMessageHash as Hash }));
    await this.#call(`delivery/messages/${this.person.name}/syncAcknowledgements`, { acknowledgements }, token);
    return envelopes.map(({ message }) => arrivalOf(this.crypto, this.person, message));
  }

  async #login(): Promise<string> {
    const path = `auth/${this.person.name}`;
    const challenge = (await this.#call(path)) as string;
    const signature = signText(this.crypto, this.person.keys.signing.privateKey, challenge);
    return (await this.#call(path, { challenge, signature })) as string;
  }

  #call(path: string, json?: unknown, token?: string): Promise<unknown> {
    return callService(`${this.world.deliveryService.url}/${path}`, { json, token });
  }
}

/** Somebody whose delivery service is another one. */
export class ElsewhereSide implements Arrivals {
  readonly neverRepeats = false;

  constructor(
    private readonly crypto: CryptoProvider,
    private readonly person: Person,
    private readonly service: ForeignService,
  ) {}

  get where(): string {
    return `the service of ${this.person.name}`;
  }

  async all(): Promise<readonly Arrival[]> {
    return this.service.envelopes.map(({ message }) => arrivalOf(this.crypto, this.person, message));
  }
}

/** @param encrypted which is also what a delivery service recognises a repeat by */
function arrivalOf(crypto: CryptoProvider, person: Person, encrypted: string): Arrival {
  const { message = '', metadata } = parseMessage(decryptText(crypto, person.keys.encryption, encrypted));
  const noticeAbout = message.startsWith(NOTICE_PREFIX) ? (metadata.referenceMessageHash ?? '') : null;
  return { key: encrypted, body: encrypted, text: lastParagraph(message), noticeAbout };
}
