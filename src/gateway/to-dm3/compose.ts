import type { EnsName, Hash } from '../../common/ids.js';
import type { Dm3Message, MessageType } from '../../protocol/envelope/message.js';
import type { SenderIdentity } from '../adapter/adapter.js';
import type { NeutralAttachment, NeutralMessage, NeutralType } from '../adapter/message.js';
import { ReferenceUnknownError } from './errors.js';

/** What a message to a dm3 user is made of. */
export interface Composition {
  readonly from: EnsName;
  readonly to: EnsName;
  readonly message: NeutralMessage;
  /** Null where there is nothing to say about the sender (our own notices). */
  readonly identity: SenderIdentity | null;
  /** The dm3 message this one refers to, if it is known. */
  readonly reference: Hash | null;
  readonly replyToken: string;
}

const WITH_REFERENCE: Readonly<Record<NeutralType, MessageType>> = {
  new: 'REPLY',
  reply: 'REPLY',
  edit: 'EDIT',
  reaction: 'REACTION',
  delete: 'DELETE_REQUEST',
  'read-received': 'READ_RECEIVED',
  'read-opened': 'READ_OPENED',
};

const WITHOUT_REFERENCE: Readonly<Partial<Record<NeutralType, MessageType>>> = {
  new: 'NEW',
  reply: 'NEW',
  edit: 'NEW',
  reaction: 'NEW',
};
const RECEIPTS: readonly NeutralType[] = ['read-received', 'read-opened'];

/** Whether a message is left out without a word: a receipt for something the receiver does not know. */
export function isLeftOut({ type }: Pick<NeutralMessage, 'type'>, reference: Hash | null): boolean {
  return !reference && RECEIPTS.includes(type);
}

/**
 * Neutral message -> dm3 message, ready to be signed. A subject opens a thread as a bold line; a sender who could not
 * be verified is marked in the first line, where no client can hide it (dm3's schema has no member for it).
 * @throws ReferenceUnknownError for what says nothing without a reference
 */
export function composeMessage(parts: Composition): Omit<Dm3Message, 'signature'> {
  const { from, to, message, reference, replyToken } = parts;
  const type = (reference ? WITH_REFERENCE : WITHOUT_REFERENCE)[message.type];
  if (!type) throw new ReferenceUnknownError();
  const attachments = message.attachments.map(dm3Attachment);
  return {
    message: text(parts),
    metadata: {
      to,
      from,
      timestamp: message.sentAt,
      type,
      ...(reference ? { referenceMessageHash: reference } : {}),
      replyDeliveryInstruction: replyToken,
    },
    ...(attachments.length > 0 ? { attachments } : {}),
  };
}

function text({ message, identity, reference }: Composition): string {
  const mark = identity && identity.verdict !== 'verified' ? [`⚠ Unverified sender (${identity.detail})`] : [];
  const subject = message.subject && !reference ? [`**${escapeMarkdown(message.subject)}**`] : [];
  return [...mark, ...subject, message.text].join('\n\n');
}

/** A file as dm3 carries it: within the message, in base64. */
export function dm3Attachment({ name, mediaType, content }: NeutralAttachment): { name: string; data: string } {
  if ('uri' in content) return { name, data: content.uri };
  return { name, data: `data:${mediaType};base64,${Buffer.from(content.bytes).toString('base64')}` };
}

/** A subject is plain text: its asterisks must not end the bold line early. */
function escapeMarkdown(subject: string): string {
  return subject.replace(/[\\*_`[\]]/g, '\\$&');
}
