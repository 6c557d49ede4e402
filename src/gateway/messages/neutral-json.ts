import type { NeutralAttachment, NeutralMessage } from '../adapter/message.js';

type StoredAttachment = Omit<NeutralAttachment, 'content'> & { readonly base64?: string; readonly uri?: string };

/** A neutral message as JSON: attachment bytes as base64. What sealed payloads hold. */
export type StoredNeutral = Omit<NeutralMessage, 'attachments'> & { readonly attachments: readonly StoredAttachment[] };

export function neutralToJson(message: NeutralMessage): StoredNeutral {
  return { ...message, attachments: message.attachments.map(packAttachment) };
}

export function neutralFromJson(stored: StoredNeutral): NeutralMessage {
  return { ...stored, attachments: stored.attachments.map(unpackAttachment) };
}

function packAttachment({ content, ...rest }: NeutralAttachment): StoredAttachment {
  return 'uri' in content
    ? { ...rest, uri: content.uri }
    : { ...rest, base64: Buffer.from(content.bytes).toString('base64') };
}

function unpackAttachment({ base64, uri, ...rest }: StoredAttachment): NeutralAttachment {
  return { ...rest, content: uri === undefined ? { bytes: Buffer.from(base64 ?? '', 'base64') } : { uri } };
}
