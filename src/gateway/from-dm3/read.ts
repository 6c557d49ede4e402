import { attachmentsOf, type Dm3Message, type MessageType } from '../../protocol/envelope/message.js';
import type { Capabilities } from '../adapter/adapter.js';
import { UnsupportedMessageError } from '../adapter/errors.js';
import type { NeutralAttachment, NeutralMessage, NeutralType } from '../adapter/message.js';

const TYPES: Readonly<Partial<Record<MessageType, NeutralType>>> = {
  NEW: 'new',
  REPLY: 'reply',
  EDIT: 'edit',
  REACTION: 'reaction',
  DELETE_REQUEST: 'delete',
  READ_RECEIVED: 'read-received',
  READ_OPENED: 'read-opened',
  READ_RECEIPT: 'read-opened',
};

const REJECTIONS: Readonly<Partial<Record<NeutralType, string>>> = {
  delete: 'what was already sent there cannot be taken back',
  edit: 'what was already sent there cannot be changed',
  reaction: 'it knows no reactions',
};

/** Where a network has no such thing but takes a sentence about it. */
const IN_WORDS: Readonly<Record<NeutralType, (text: string) => string>> = {
  new: (text) => text,
  reply: (text) => text,
  edit: (text) => `Edited:\n\n${text}`,
  reaction: (text) => `Reacted with ${text}`,
  delete: () => 'Deleted an earlier message.',
  'read-received': () => 'Received your message.',
  'read-opened': () => 'Read your message.',
};

/** dm3 message -> neutral message. @throws UnsupportedMessageError for types no network has a word for */
export function readMessage(message: Dm3Message): NeutralMessage {
  const type = TYPES[message.metadata.type];
  if (!type)
    throw new UnsupportedMessageError({ reason: `Messages of type ${message.metadata.type} cannot be passed on.` });
  return {
    type,
    text: message.message ?? '',
    attachments: attachmentsOf(message).map(attachment),
    sentAt: message.metadata.timestamp,
  };
}

/**
 * What the network can make of it: the message itself, the same thing in words, or null if it is left out by rule.
 * Worded here once for all networks.
 * @throws UnsupportedMessageError where the author must be told
 */
export function fitMessage(message: NeutralMessage, can: Capabilities): NeutralMessage | null {
  switch (can.types[message.type]) {
    case 'dropped':
      return null;
    case 'rejected':
      throw new UnsupportedMessageError({
        reason: `The receiver's network does not carry this: ${REJECTIONS[message.type] ?? 'it has no word for it'}.`,
      });
    case 'fallback':
      return fitContent({ ...message, type: 'reply', text: IN_WORDS[message.type](message.text) }, can);
    default:
      return fitContent(message, can);
  }
}

function fitContent(message: NeutralMessage, can: Capabilities): NeutralMessage {
  return checkSize(message.attachments.length > 0 ? fitAttachments(message, can) : message, can);
}

function fitAttachments(message: NeutralMessage, can: Capabilities): NeutralMessage {
  switch (can.attachments) {
    case 'dropped':
      return { ...message, attachments: [] };
    case 'rejected':
      throw new UnsupportedMessageError({ reason: "The receiver's network takes no attachments." });
    case 'fallback':
      return {
        ...message,
        text: [message.text, ...message.attachments.map(attachmentInWords)].join('\n\n'),
        attachments: [],
      };
    default:
      return message;
  }
}

function attachmentInWords({ name, content }: NeutralAttachment): string {
  return 'uri' in content
    ? `${name}: ${content.uri}`
    : `[${name}, ${content.bytes.length} bytes, cannot be shown here]`;
}

function checkSize(message: NeutralMessage, can: Capabilities): NeutralMessage {
  if (Buffer.byteLength(message.text) > can.maxTextBytes) {
    throw new UnsupportedMessageError({
      reason: `The text is longer than the ${can.maxTextBytes} bytes the receiver's network takes.`,
    });
  }
  const sizes = message.attachments.map(({ content }) => ('bytes' in content ? content.bytes.length : 0));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > can.maxAttachmentBytes) {
    throw new UnsupportedMessageError({
      reason: `The attachments have ${total} bytes; the receiver's network takes ${can.maxAttachmentBytes} at most.`,
    });
  }
  return message;
}

/** RFC 2397. A link of any other scheme is passed on as a link and never fetched. */
function attachment({ name, data }: { name?: string; data: string }, index: number): NeutralAttachment {
  const match = /^data:([^,;]*)((?:;[^,;]*)*),(.*)$/s.exec(data);
  const mediaType = match?.[1]?.toLowerCase() || 'application/octet-stream';
  const given = name?.trim() || `attachment-${index + 1}`;
  if (!match) return { name: given, mediaType, content: { uri: data } };
  const isBase64 = /;base64$/i.test(match[2]!);
  const bytes = isBase64 ? Buffer.from(match[3]!, 'base64') : Buffer.from(percentDecoded(match[3]!));
  return { name: given, mediaType, content: { bytes } };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
