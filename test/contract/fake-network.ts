import type { ForeignAddress, NetworkId, RemoteId } from '../../src/common/ids.js';
import type {
  Acceptance,
  Adapter,
  AdapterContext,
  AdapterHealth,
  Capabilities,
  GatewayPort,
  NoticeSender,
  OutgoingMessage,
  OutgoingNotice,
  Rendering,
  SenderIdentity,
} from '../../src/gateway/adapter/adapter.js';
import { DeliveryFailedError } from '../../src/gateway/adapter/errors.js';
import type { NeutralMessage, NeutralType } from '../../src/gateway/adapter/message.js';
import { AliasLabelsError, InvalidForeignAddressError, type AliasCodec } from '../../src/naming/alias/codec.js';

/**
 * What the far side does with what is sent to somebody: takes it, refuses it for good, keeps the sender waiting, takes
 * it only when told, or loses the connection before it has it.
 */
export type Behaviour = 'take' | 'refuse' | 'stall' | 'lose';

/** A message as it arrived on the far side. */
export interface FakeParcel {
  readonly id: RemoteId;
  readonly to: ForeignAddress;
  readonly kind: NeutralType | 'notice';
  readonly text: string;
  /** Name of the dm3 user; null for notices. */
  readonly from: string | null;
  readonly thread: string;
  readonly target: RemoteId | null;
  readonly attachments: readonly string[];
}

/** What somebody on the network writes; everything but the first three has a plain default. */
export interface FakeLetter {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly id?: string;
  readonly type?: NeutralType;
  readonly thread?: string;
  readonly inReplyTo?: readonly RemoteId[];
  readonly identity?: SenderIdentity;
  readonly attachments?: NeutralMessage['attachments'];
  /** An automatic message, to which no notice may be sent. */
  readonly automatic?: boolean;
}

const CAPABILITIES: Capabilities = {
  types: {
    new: 'full',
    reply: 'full',
    edit: 'fallback',
    reaction: 'full',
    delete: 'rejected',
    'read-received': 'dropped',
    'read-opened': 'dropped',
  },
  attachments: 'full',
  maxAttachmentBytes: 1_000,
  maxTextBytes: 10_000,
};

/** A network of people with short names (`fake:carol`), all of it in memory, each of them a destination. */
export class FakeNetwork implements Adapter, NoticeSender {
  readonly network: NetworkId;
  readonly codec: AliasCodec;
  /** What arrived, in order; a repeat arrives again. */
  readonly arrived: FakeParcel[] = [];
  /** Every attempt to hand something over, the failed ones included. */
  readonly attempts: { readonly to: ForeignAddress; readonly body: Uint8Array }[] = [];
  readonly #behaviours = new Map<ForeignAddress, Behaviour>();
  #changed = Promise.withResolvers<void>();
  #port: GatewayPort | null = null;
  #letters = 0;

  constructor(name = 'fake') {
    this.network = name as NetworkId;
    this.codec = fakeCodec(this.network);
  }

  address(name: string): ForeignAddress {
    return this.codec.canonical(name);
  }

  /** From now on, and for who waits already. */
  behave(name: string, behaviour: Behaviour): void {
    this.#behaviours.set(this.address(name), behaviour);
    this.#announce();
  }

  arrivedFor(name: string): FakeParcel[] {
    return this.arrived.filter(({ to }) => to === this.address(name));
  }

  /** Writes to a dm3 user, as the network brings it. @throws what the gateway answers */
  async write(letter: FakeLetter): Promise<Acceptance & { readonly remoteId: RemoteId }> {
    const port = this.#port;
    if (!port) throw new DeliveryFailedError({ code: 'STOPPED', reason: 'The fake network is off.', retryable: true });
    const { from, to, text, thread = 'main', inReplyTo = [], attachments = [], automatic = false } = letter;
    const remoteId = (letter.id ?? `letter-${++this.#letters}`) as RemoteId;
    const type = letter.type ?? (inReplyTo.length > 0 ? 'reply' : 'new');
    const target = await port.lookup(to);
    const acceptance = await port.receive({
      network: this.network,
      remoteId,
      from: this.address(from),
      identity: letter.identity ?? { verdict: 'verified', detail: 'known to the fake network' },
      to: [target],
      message: { type, text, attachments, sentAt: 1_790_000_000_000 + this.#letters },
      dedup: JSON.stringify([from, remoteId, text]),
      inReplyTo,
      conversation: { thread, automatic },
    });
    return { ...acceptance, remoteId };
  }

  owns(address: ForeignAddress): boolean {
    return address.startsWith(this.codec.scheme);
  }

  formatAddress(address: ForeignAddress): string {
    return address.slice(this.codec.scheme.length);
  }

  capabilities(): Capabilities {
    return CAPABILITIES;
  }

  destinationOf(address: ForeignAddress): string {
    return this.formatAddress(address);
  }

  async start(port: GatewayPort): Promise<void> {
    this.#port = port;
  }

  async stop(): Promise<void> {
    this.#port = null;
    this.#announce();
  }

  async health(): Promise<AdapterHealth> {
    return this.#port ? { status: 'up' } : { status: 'down', detail: 'The fake network is off.' };
  }

  async render({ id, from, to, message, conversation, target }: OutgoingMessage): Promise<Rendering> {
    const context = conversation ?? { thread: id.slice(0, 16), automatic: false };
    const attachments = message.attachments.map(({ name }) => name);
    const { type: kind, text } = message;
    const thread = String(context['thread']);
    return parcelled({ id: remoteIdOf(id), to, kind, text, from: from.name, thread, target, attachments }, context);
  }

  async renderNotice({ id, to, about, reason, conversation }: OutgoingNotice): Promise<Rendering | null> {
    if (conversation['automatic'] === true) return null;
    const text = `${reason.code}: ${reason.text}`;
    const notice = { kind: 'notice', text, from: null, thread: String(conversation['thread']), attachments: [] } as const;
    return parcelled({ ...notice, id: remoteIdOf(id), to, target: about }, conversation);
  }

  async send({ body }: Rendering): Promise<void> {
    const parcel = JSON.parse(Buffer.from(body).toString()) as FakeParcel;
    this.attempts.push({ to: parcel.to, body });
    switch (await this.#decision(parcel.to)) {
      case 'take':
        this.arrived.push(parcel);
        return;
      case 'refuse':
        throw new DeliveryFailedError({ code: 'REFUSED', reason: 'The receiver takes no messages.', retryable: false });
      default:
        throw new DeliveryFailedError({ code: 'LOST', reason: 'The fake network broke off.', retryable: true });
    }
  }

  /** Waits while the receiver stalls; a network that stops loses what waits. */
  async #decision(to: ForeignAddress): Promise<Exclude<Behaviour, 'stall'>> {
    for (;;) {
      const behaviour = this.#behaviours.get(to) ?? 'take';
      if (behaviour !== 'stall') return behaviour;
      if (!this.#port) return 'lose';
      await this.#changed.promise;
    }
  }

  #announce(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

const remoteIdOf = (id: string) => `parcel-${id.slice(0, 16)}` as RemoteId;

function parcelled(parcel: FakeParcel, conversation: AdapterContext): Rendering {
  return { remoteIds: [parcel.id], body: Buffer.from(JSON.stringify(parcel)), conversation };
}

/** `fake:carol` <-> `carol` */
function fakeCodec(network: NetworkId): AliasCodec {
  const scheme = `${network}:`;
  const canonical = (text: string): ForeignAddress => {
    const name = (text.startsWith(scheme) ? text.slice(scheme.length) : text).toLowerCase();
    if (!/^[a-z0-9]{1,30}$/.test(name)) throw new InvalidForeignAddressError({ address: text, reason: 'is no name' });
    return `${scheme}${name}` as ForeignAddress;
  };
  const decode = (labels: readonly string[]): ForeignAddress => {
    const [name = '', ...rest] = labels;
    if (rest.length > 0 || !/^[a-z0-9]{1,30}$/.test(name)) throw new AliasLabelsError({ labels, reason: 'is no name' });
    return canonical(name);
  };
  return { network, scheme, canonical, encode: (address) => [address.slice(scheme.length)], decode };
}
