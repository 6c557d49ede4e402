import type { EnsName, EthAddress, ForeignAddress, NetworkId, RemoteId } from '../../common/ids.js';
import type { NeutralMessage, NeutralType } from './message.js';

/**
 * How well a network can carry something: refused with a notice, left out silently by rule (documented), said in other
 * words by the core, carried in part, or carried whole.
 */
export type CapabilityLevel = 'rejected' | 'dropped' | 'fallback' | 'partial' | 'full';

export interface Capabilities {
  readonly types: Readonly<Record<NeutralType, CapabilityLevel>>;
  readonly attachments: CapabilityLevel;
  /** Largest attachments of one message together, bytes. */
  readonly maxAttachmentBytes: number;
  /** Longest text, UTF-8 bytes. */
  readonly maxTextBytes: number;
}

/**
 * Facts an adapter wants to see again when the conversation goes on (subject, references, spelling of an address).
 * Opaque to the core, JSON, stored sealed.
 */
export type AdapterContext = Readonly<Record<string, unknown>>;

/** A dm3 message on its way to a foreign network, opened and verified by the core. */
export interface OutgoingMessage {
  /** sha256(stringify(dm3 message)) as 64 hex digits: ids given to the foreign network derive from it. */
  readonly id: string;
  readonly from: { readonly name: EnsName; readonly address: EthAddress };
  readonly to: ForeignAddress;
  /** ENS names by which dm3 users know the receiver: where he is mentioned, it is by these. */
  readonly toNames?: readonly EnsName[];
  readonly message: NeutralMessage;
  /** What the adapter last stored for the conversation; null when this message opens it. */
  readonly conversation: AdapterContext | null;
  /** The foreign id of the message this one answers, edits or reacts to, where it is known. */
  readonly target: RemoteId | null;
}

/**
 * What became of a foreign message, reported to its author in his own network: it failed for good, still waits, or has
 * arrived after he was told that it waits (only on networks that follow delays).
 */
export interface OutgoingNotice {
  /** Deterministic 64 hex digits: the same is reported once. */
  readonly id: string;
  readonly status: 'failed' | 'delayed' | 'arrived';
  /** Id of the notice which this one takes the place of: of a delay, on networks that follow delays. */
  readonly replaces?: string;
  /** How long it is tried, milliseconds since the epoch; only where it is delayed. */
  readonly until?: number;
  readonly to: ForeignAddress;
  /** The receiver it did not reach, as the author wrote it. */
  readonly receiver: string;
  /** Foreign id of the message it is about. */
  readonly about: RemoteId;
  /** A whole sentence for a person, and the error's code. */
  readonly reason: { readonly code: string; readonly text: string };
  /** What the adapter stored when it received the message. */
  readonly conversation: AdapterContext;
}

/** A message of the gateway itself that has somebody prove that he reads what is sent to an address. */
export interface OutgoingChallenge {
  /** 64 hex digits; a challenge of the same id is the same challenge. */
  readonly id: string;
  readonly to: ForeignAddress;
  readonly subject: string;
  /** Plain, lines ending in `\n`; holds a code. */
  readonly text: string;
}

/** What goes over the wire, frozen: every retry sends these bytes. Stored sealed. */
export interface Rendering {
  /** Ids the foreign side will know the message by, main part first. Deterministic. */
  readonly remoteIds: readonly RemoteId[];
  /** The adapter's own form. */
  readonly body: Uint8Array;
  /** Replaces the conversation's context. */
  readonly conversation: AdapterContext;
}

/** Somebody or something a foreign sender named as receiver. */
export interface Target {
  /** ENS name, normalised. */
  readonly name: EnsName;
  /** The same name by its top-level alias, where the sender wrote it so: people are shown what they know. */
  readonly writtenAs?: EnsName;
  readonly address: EthAddress;
  /** Largest dm3 envelope the receiver's delivery service takes, bytes; null when it did not say. */
  readonly sizeLimit: number | null;
  /** ENS name of the first delivery service it goes to; null where that is ours. For the core's own use. */
  readonly service?: EnsName | null;
  /** Files of so many bytes, which need not fit into it: the core sends links to them. None when not set. */
  readonly linkedBytes?: number;
}

/** How sure the network is that the sender is who the message says. `detail` is one short line for a person. */
export interface SenderIdentity {
  readonly verdict: 'verified' | 'unverified' | 'forged';
  readonly detail: string;
}

/** A message from a foreign network to one dm3 user or more; one dm3 message each, one transaction for all. */
export interface ForeignMessage {
  readonly network: NetworkId;
  readonly remoteId: RemoteId;
  readonly from: ForeignAddress;
  readonly identity: SenderIdentity;
  /** As `lookup` answered. */
  readonly to: readonly Target[];
  readonly message: NeutralMessage;
  /**
   * Text that is equal for two deliveries of one message and for nothing else; the core adds the receiver and hashes
   * it under a key. For mail: envelope sender, Message-ID and body digest.
   */
  readonly dedup: string;
  /** Foreign ids this message answers, the nearest first. */
  readonly inReplyTo: readonly RemoteId[];
  /** Where the foreign network itself names the thread or room. */
  readonly conversation: AdapterContext;
  /** Written by a machine for many: it lets what people write go first. */
  readonly isBulk?: boolean;
  /** Left out without a word for receivers who do not have what it is about: they came later. */
  readonly onlyIfKnown?: boolean;
}

/** What a dm3 user shows of himself. */
export interface Picture {
  /** Whatever it came from: another source is another picture. */
  readonly source: string;
  /** Of an image that is not a document: png, jpeg, gif, webp. */
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface Acceptance {
  readonly status: 'accepted' | 'duplicate';
  /** Our id of the first receiver's message: what `trace` takes. */
  readonly id: string;
}

/** What the owner of a dm3 name proves himself with: the wallet it resolves to, or the signing key of its dm3 profile. */
export type LinkSigner = 'wallet' | 'profile';

/** A link that is being made: it counts once the owner of the name has signed. */
export interface LinkOffer {
  /** The dm3 name, normalised. */
  readonly name: EnsName;
  readonly signer: LinkSigner;
  /** Signed as it is, to the letter. Good for this person and this name, once. */
  readonly text: string;
  readonly secondsLeft: number;
}

/**
 * Ties somebody outside dm3 to the dm3 name of the same person, where his network itself vouches for who he is: `from`
 * is whom it says it is, and nothing more is asked of him. Every call may be repeated after a crash.
 */
export interface LinkDesk {
  /** The name he is linked with. @throws NamingUnavailableError (retry) */
  of(from: ForeignAddress): Promise<EnsName | null>;

  /** The link of his that is being made. */
  begun(from: ForeignAddress): Promise<LinkOffer | null>;

  /**
   * Gives the text to sign; the same one again while most of its time is left. Another link of his that was begun is
   * over with it.
   * @throws LinksOffError, NotLinkableError, NameNotFoundError, ProfileNotFoundError; NamingUnavailableError (retry)
   */
  begin(from: ForeignAddress, name: string, signer: LinkSigner): Promise<LinkOffer>;

  /**
   * Links him with the name, in place of another one.
   * @throws LinksOffError, LinkNotBegunError, LinkForgedError, LinkTextChangedError, LinkBrokenError and what `begin`
   *   throws
   */
  finish(from: ForeignAddress, name: string, signature: string): Promise<EnsName>;

  /** Takes the link back, and what was begun. @returns the name he was linked with; null for none */
  remove(from: ForeignAddress): Promise<EnsName | null>;
}

/** The core's one door for messages that come from outside. */
export interface GatewayPort {
  /**
   * Who is meant by a name or address as a foreign sender wrote it (`bob.eth`, `0xABC…`, `label.<toplevel>`).
   * @param from who says to be the sender, where that is known so early; `receive` has the last word
   * @throws NameNotFoundError, ProfileNotFoundError (permanent); NamingUnavailableError (retry); RelayRefusedError for
   *   alias names of foreign addresses, unless the sender is linked with a dm3 name.
   */
  lookup(receiver: string, from?: ForeignAddress): Promise<Target>;

  /**
   * Takes over responsibility: returns only after commit.
   * @throws MessageTooLargeError with `facts.limitBytes`, AttachmentTooLargeError, AttachmentsTooLargeError;
   *   SpamRefusedError where no receiver takes it; RelayRefusedError where one is on a foreign network;
   *   AttachmentStoreFullError, NamingUnavailableError, StorageUnavailableError, OverloadedError (retry; the last with
   *   `facts.retryAfterSeconds`).
   */
  receive(message: ForeignMessage): Promise<Acceptance>;

  /**
   * For networks that show pictures of people. Not every port has it.
   * @param known source of the picture that is shown already
   * @returns null if there is none to show, `unchanged` if it is the known one
   * @throws NamingUnavailableError and what fetching throws: the one that is shown stays
   */
  pictureOf?(name: EnsName, known: string | null): Promise<Picture | 'unchanged' | null>;

  /**
   * How somebody or something on a foreign network is called in dm3. Not every port has it.
   * @returns null for what no name stands for
   */
  aliasOf?(address: ForeignAddress): EnsName | null;

  /**
   * For networks that hand messages over before `receive`: whether there is room for more. Not every port has it.
   * @throws OverloadedError (retry, with `facts.retryAfterSeconds`)
   */
  checkPressure?(): void;

  /** For networks that vouch for their people. Not every port has it. */
  readonly links?: LinkDesk;

  /** A delivery report that the foreign network sent about one of our messages (by the id we gave it). */
  reportFailure(report: { network: NetworkId; remoteId: RemoteId; code: string; text: string }): Promise<void>;
}

export interface AdapterHealth {
  readonly status: 'up' | 'degraded' | 'down';
  readonly detail?: string;
}

/** A running connection to one foreign network. Everything beyond this core is an optional interface. */
export interface Adapter {
  readonly network: NetworkId;
  /**
   * Set for a network whose connection belongs to one process at a time, which alone can send: the core then starts it in
   * one, and never calls `render`, `send` or their like of one that is not started. A second process with its role
   * refuses to start where what the connection needs lies on one machine, or stands by to take over. Not set: it may run
   * in any number of processes, and sends also where it is not started.
   */
  readonly exclusive?: 'refuse' | 'stand-by';
  /** True if the address is this network's. */
  owns(address: ForeignAddress): boolean;
  /** For people: `alice@example.com`. */
  formatAddress(address: ForeignAddress): string;
  capabilities(): Capabilities;
  /** Names the queue lane: messages to one destination wait for one another's concurrency, not for other lanes. */
  destinationOf(address: ForeignAddress): string;
  start(port: GatewayPort): Promise<void>;
  /** Stops taking messages, finishes those under way, frees its ports. */
  stop(): Promise<void>;
  health(): Promise<AdapterHealth>;
  /** Pure apart from key material: the same input gives the same bytes. @throws permanent errors only. */
  render(outgoing: OutgoingMessage): Promise<Rendering>;
  /**
   * Hands frozen bytes to the network; resolves once it has taken them.
   * @throws DeliveryFailedError: `retryable` tells transient from permanent.
   */
  send(rendering: Rendering): Promise<void>;
}

/** Networks that can tell an author that his message did not arrive. */
export interface NoticeSender {
  /**
   * True if what was said of a delay can be taken back: the network is then also told that the message has arrived, and
   * which earlier notice is out of date. Ids of notices that never left may be among them.
   */
  readonly followsDelays?: boolean;
  /** Null where a notice must not be sent (a bounce of a bounce, an automatic mail, a forged sender). */
  renderNotice(notice: OutgoingNotice): Promise<Rendering | null>;
}

/** Networks that give what we send an id of their own, beside ours. */
export interface IdGiver {
  /** Our id of what the network knows by this one; the same one where it is none of what we sent. */
  remoteIdOf(id: string): Promise<RemoteId>;
}

export function givesIds(adapter: Adapter): adapter is Adapter & IdGiver {
  return 'remoteIdOf' in adapter;
}

export function sendsNotices(adapter: Adapter): adapter is Adapter & NoticeSender {
  return 'renderNotice' in adapter;
}

export function followsDelays(adapter: Adapter): boolean {
  return sendsNotices(adapter) && adapter.followsDelays === true;
}

/** Networks on which the gateway can write to somebody who has never been written to, on nobody's behalf. */
export interface ChallengeSender {
  /** Resolves once the network has taken it. @throws DeliveryFailedError, also for addresses that the gateway itself serves */
  sendChallenge(challenge: OutgoingChallenge): Promise<void>;
}

export function sendsChallenges(adapter: Adapter): adapter is Adapter & ChallengeSender {
  return 'sendChallenge' in adapter;
}
