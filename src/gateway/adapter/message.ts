/** What a message is, whatever the network. dm3's READ_* types both say who has seen what. */
export type NeutralType = 'new' | 'reply' | 'edit' | 'reaction' | 'delete' | 'read-received' | 'read-opened';

export interface NeutralAttachment {
  /** File name as its author gave it, or a made-up one; control characters removed. */
  readonly name: string;
  /** MIME type, lower-case, without parameters. */
  readonly mediaType: string;
  /** Bytes, or a link that is passed on as it is and never fetched. */
  readonly content: { readonly bytes: Uint8Array } | { readonly uri: string };
}

/** The content of one message between two people, in the terms no network owns. */
export interface NeutralMessage {
  readonly type: NeutralType;
  /** Markdown; the emoji for a reaction; empty for a deletion. */
  readonly text: string;
  /** Only networks that have subjects set it. */
  readonly subject?: string;
  readonly attachments: readonly NeutralAttachment[];
  /** Milliseconds since the epoch, by the author's clock. */
  readonly sentAt: number;
}
