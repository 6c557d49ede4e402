import type { EnsName, EthAddress, ForeignAddress, RemoteId } from '../../common/ids.js';

export interface TextPart {
  readonly kind: 'text';
  readonly body: string;
  readonly html: string | null;
  /** User ids; older rows do not name them. */
  readonly mentions?: readonly string[];
}

export interface FilePart {
  readonly kind: 'file';
  readonly name: string;
  readonly mediaType: string;
  readonly base64: string;
}

/** A part of a message: one event. */
export type Part = TextPart | FilePart;

/** Who speaks in a direct chat, and to whom. */
export interface ChatSpeaker {
  /** ENS name that the ghost stands for. */
  readonly name: EnsName;
  readonly identity: EthAddress;
  readonly ghost: string;
  readonly user: string;
  /** Null: the chat of these two, whichever that is. */
  readonly room: string | null;
}

/** Who speaks in a room of several. */
export interface PortalSpeaker {
  readonly name: EnsName;
  readonly identity: EthAddress;
  readonly portal: ForeignAddress;
}

export type Speaker = ChatSpeaker | PortalSpeaker;

interface Base {
  /** 40 hex digits (`PartId`). */
  readonly message: string;
  readonly target: RemoteId | null;
}

export interface RenderedText extends Base {
  readonly kind: 'message' | 'edit';
  readonly speaker: Speaker;
  readonly thread: string | null;
  readonly parts: readonly Part[];
}

export interface RenderedReaction extends Base {
  readonly kind: 'reaction';
  readonly speaker: Speaker;
  readonly key: string;
}

/** About an earlier message, with nothing to say of its own. */
export interface RenderedMark extends Base {
  readonly kind: 'delete' | 'read';
  readonly speaker: Speaker;
}

export interface RenderedNotice extends Base {
  readonly kind: 'notice';
  readonly ghost: string;
  readonly room: string;
  readonly text: string;
  /** `PartId.message` of the notice that it takes the place of. */
  readonly replaces: string | null;
}

/** Takes a notice back. */
export interface RenderedRetraction extends Base {
  readonly kind: 'retraction';
  readonly ghost: string;
  readonly room: string;
  /** `PartId.message` of that notice. */
  readonly replaces: string;
}

/** What `Rendering.body` holds as JSON. Ids of events it is about are looked up when it leaves. */
export type RenderedMatrix = RenderedText | RenderedReaction | RenderedMark | RenderedNotice | RenderedRetraction;

export function encodeRendering(rendered: RenderedMatrix): Uint8Array {
  return Buffer.from(JSON.stringify(rendered));
}

/** Reads only what `encodeRendering` wrote. */
export function decodeRendering(body: Uint8Array): RenderedMatrix {
  return JSON.parse(Buffer.from(body).toString()) as RenderedMatrix;
}
