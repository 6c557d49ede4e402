import { EventEmitter, once } from 'node:events';
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
import type { Mood } from './adapter-contract.js';

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
  /** Of a notice: the id of the one that it takes the place of. */
  readonly replaces?: RemoteId;
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

const NOON = Date.parse('2026-11-20T12:00:00Z');

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

/** A network in memory, of people at places (`fake:carol@harbour`) and of some who are a place of their own. */
export class FakeNetwork implements Adapter, NoticeSender {
  readonly network: NetworkId;
  readonly codec: AliasCodec;
  /** Tests may set it. */
  followsDelays = false;
  /** What arrived, in order; a repeat arrives again. */
  readonly arrived: FakeParcel[] = [];
  /** Every attempt to hand something over, the failed ones included. */
  readonly attempts: { readonly to: ForeignAddress; readonly body: Uint8Array }[] = [];
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #moods = new Map<ForeignAddress, Mood>();
  readonly #changes = new EventEmitter();
  #port: GatewayPort | null = null;
  #letters = 0;

  constructor(name = 'fake') {
    this.network = name as NetworkId;
    this.codec = fakeCodec(this.network);
  }

  address(name: string): ForeignAddress {
    return this.codec.canonical(name);
  }

  /** How the far side treats what is sent to somebody, from now on; who waits already is treated so too. */
  setMood(name: string, mood: Mood): void {
    this.#moods.set(this.address(name), mood);
    this.#changes.emit('change');
  }

  /** Messages that the far side keeps waiting just now. */
  get stalled(): number {
    return this.#changes.listenerCount('change');
  }

  arrivedFor(name: string): FakeParcel[] {
    return this.arrived.filter(({ to }) => to === this.address(name));
  }

  /** Writes to a dm3 user, as the network brings it. @throws what the gateway answers */
  async write(letter: FakeLetter): Promise<Acceptance & { readonly remoteId: RemoteId }> {
    const work = this.#bring(letter).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  async #bring(letter: FakeLetter): Promise<Acceptance & { readonly remoteId: RemoteId }> {
    if (!this.#port) throw FAILURES.lose();
    const remoteId = (letter.id ?? `letter-${++this.#letters}`) as RemoteId;
    const { from, to, text, attachments = [], inReplyTo = [], thread = 'main', automatic = false } = letter;
    const type = letter.type ?? (inReplyTo.length > 0 ? 'reply' : 'new');
    const acceptance = await this.#port.receive({
      network: this.network,
      remoteId,
      from: this.address(from),
      identity: letter.identity ?? { verdict: 'verified', detail: 'known to the fake network' },
      to: [await this.#port.lookup(to)],
      message: { type, text, attachments, sentAt: NOON + this.#letters },
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
    return this.formatAddress(address).split('@').at(-1)!;
  }

  async start(port: GatewayPort): Promise<void> {
    this.#port = port;
  }

  async stop(): Promise<void> {
    this.#port = null;
    this.#changes.emit('change');
    await Promise.allSettled(this.#underWay);
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

  async renderNotice(outgoing: OutgoingNotice): Promise<Rendering | null> {
    const { id, status, to, about, reason, conversation, replaces } = outgoing;
    if (conversation['automatic'] === true || (status === 'arrived' && !this.followsDelays)) return null;
    const text = `${reason.code}: ${reason.text}`;
    const notice = {
      kind: 'notice',
      text,
      from: null,
      thread: String(conversation['thread']),
      attachments: [],
      ...(replaces && { replaces: remoteIdOf(replaces) }),
    } as const;
    return parcelled({ ...notice, id: remoteIdOf(id), to, target: about }, conversation);
  }

  async send({ body }: Rendering): Promise<void> {
    const parcel = JSON.parse(Buffer.from(body).toString()) as FakeParcel;
    this.attempts.push({ to: parcel.to, body });
    const mood = await this.#patience(parcel.to);
    if (mood !== 'take') throw FAILURES[mood]();
    this.arrived.push(parcel);
  }

  /** Waits while the receiver stalls. A network that stops hangs up on whoever waits. */
  async #patience(to: ForeignAddress): Promise<Exclude<Mood, 'stall'>> {
    for (;;) {
      const mood = this.#moods.get(to) ?? 'take';
      if (mood !== 'stall') return mood;
      if (!this.#port) return 'lose';
      await once(this.#changes, 'change');
    }
  }
}

const FAILURES = {
  refuse: () =>
    new DeliveryFailedError({ code: 'REFUSED', reason: 'The receiver takes no messages.', retryable: false }),
  busy: () => new DeliveryFailedError({ code: 'BUSY', reason: 'The receiver is busy; try again.', retryable: true }),
  lose: () => new DeliveryFailedError({ code: 'LOST', reason: 'The fake network broke off.', retryable: true }),
};

const remoteIdOf = (id: string) => `parcel-${id.slice(0, 16)}` as RemoteId;

function parcelled(parcel: FakeParcel, conversation: AdapterContext): Rendering {
  return { remoteIds: [parcel.id], body: Buffer.from(JSON.stringify(parcel)), conversation };
}

/** `fake:carol@harbour` <-> `carol.harbour`; without a place, `fake:carol` <-> `carol`. */
function fakeCodec(network: NetworkId): AliasCodec {
  const scheme = `${network}:`;
  const canonical = (text: string): ForeignAddress => {
    const name = (text.startsWith(scheme) ? text.slice(scheme.length) : text).toLowerCase();
    if (!/^[a-z0-9]+(@[a-z0-9]+)?$/.test(name))
      throw new InvalidForeignAddressError({ address: text, reason: 'is no name' });
    return `${scheme}${name}` as ForeignAddress;
  };
  const decode = (labels: readonly string[]): ForeignAddress => {
    if (!/^[a-z0-9]+(\.[a-z0-9]+)?$/.test(labels.join('.')))
      throw new AliasLabelsError({ labels, reason: 'is no name' });
    return canonical(labels.join('@'));
  };
  return { network, scheme, canonical, encode: (address) => address.slice(scheme.length).split('@'), decode };
}
