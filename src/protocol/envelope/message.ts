import { z } from 'zod';
import type { Hash } from '../../common/ids.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { signText, verifyTextOrHash } from '../crypto/signature.js';
import { parseShape } from '../encoding/json.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { MalformedMessageError } from './errors.js';

/** Clients say READ_OPENED and READ_RECEIVED; READ_RECEIPT is the specification's word. Nobody sends RESEND_REQUEST. */
export const MESSAGE_TYPES = [
  'NEW',
  'REPLY',
  'EDIT',
  'REACTION',
  'DELETE_REQUEST',
  'READ_OPENED',
  'READ_RECEIVED',
  'READ_RECEIPT',
  'RESEND_REQUEST',
] as const;

export type MessageType = (typeof MESSAGE_TYPES)[number];

export interface Attachment {
  readonly name?: string;
  /** A `data:` or `http(s):` URI. */
  readonly data: string;
}

export interface Dm3MessageMetadata {
  /** dm3 names of both sides, as their clients spell them. */
  readonly to: string;
  readonly from: string;
  /** Milliseconds since the epoch, by the sender's clock. */
  readonly timestamp: number;
  readonly type: MessageType;
  /** The hash in the metadata of the envelope this message is about. */
  readonly referenceMessageHash?: string;
  /** To be sent back as `deliveryInstruction` of a reply. */
  readonly replyDeliveryInstruction?: string;
}

/** The plaintext of one message (dm3 MTP: message). A parsed one also holds whatever unknown members it came with. */
export interface Dm3Message {
  /** Markdown; the emoji of a reaction; absent in a DELETE_REQUEST. */
  readonly message?: string;
  readonly metadata: Dm3MessageMetadata;
  /** Bare URIs are the specification's form, objects the clients'. Absent and empty sign differently. */
  readonly attachments?: readonly (Attachment | string)[];
  /** base64 of Ed25519 over the stringified rest, by the sender's profile. */
  readonly signature: string;
}

const schema: z.ZodType<Dm3Message> = z.object({
  message: z.string().optional(),
  metadata: z.object({
    to: z.string().min(1),
    from: z.string().min(1),
    timestamp: z.number(),
    type: z.enum(MESSAGE_TYPES),
    referenceMessageHash: z.string().optional(),
    replyDeliveryInstruction: z.string().optional(),
  }),
  attachments: z.array(z.union([z.string(), z.object({ name: z.string().optional(), data: z.string() })])).optional(),
  signature: z.string(),
});

/**
 * Reads the decrypted text of an envelope. The signature is not checked here.
 * @throws MalformedMessageError
 */
export function parseMessage(text: string): Dm3Message {
  return parseShape(schema, text, (reason, cause) => new MalformedMessageError({ reason, cause }));
}

/** @param signingPrivateKey of the sender's profile, 64 bytes. */
export function signMessage(
  crypto: CryptoProvider,
  unsigned: Omit<Dm3Message, 'signature'>,
  signingPrivateKey: Uint8Array,
): Dm3Message {
  return { ...unsigned, signature: signText(crypto, signingPrivateKey, stringify(unsigned)) };
}

/** True if the holder of the key signed this message. That `metadata.from` is that holder is the caller's to check. */
export function verifyMessage(crypto: CryptoProvider, message: Dm3Message, signingPublicKey: Uint8Array): boolean {
  const { signature, ...unsigned } = message;
  return verifyTextOrHash(crypto, signingPublicKey, stringify(unsigned), signature);
}

/** The `messageHash` of envelopes: SHA-256 of the stringified message, its signature included. */
export function messageHash(crypto: CryptoProvider, message: Dm3Message): Hash {
  return sha256Text(crypto, stringify(message));
}

/** The attachments in the clients' form, whichever form they came in. */
export function attachmentsOf(message: Dm3Message): readonly Attachment[] {
  return (message.attachments ?? []).map((item) => (typeof item === 'string' ? { data: item } : item));
}
