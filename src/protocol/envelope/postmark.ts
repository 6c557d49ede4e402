import { z } from 'zod';
import { hashPersonalMessage } from '../crypto/keys.js';
import { decryptText, encryptText } from '../crypto/payload.js';
import type { CryptoProvider, RandomBytes, RawKeyPair } from '../crypto/provider.js';
import { signText, verifyText } from '../crypto/signature.js';
import { parseHash, toHex } from '../encoding/hex.js';
import { parseShape } from '../encoding/json.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import type { DeliveryInformation, Envelope, EnvelopeMetadata } from './envelope.js';
import { MalformedPostmarkError } from './errors.js';

/** What a delivery service certifies about an envelope (dm3 MTP: postmark). Unknown members stay, being signed. */
export interface Postmark {
  /** EIP-191 hash of the envelope's `message` as a quoted JSON string. */
  readonly messageHash: string;
  /** When it arrived, milliseconds since the epoch. The clients' spelling, and the specification's. */
  readonly incommingTimestamp?: number;
  readonly incomingTimestamp?: number;
  readonly signature: string;
}

/** An envelope as a mailbox keeps it and hands it out. Its metadata signature no longer fits. */
export interface ProcessedEnvelope extends Omit<Envelope, 'metadata'> {
  readonly metadata: Omit<EnvelopeMetadata, 'deliveryInformation'> & {
    readonly deliveryInformation: DeliveryInformation;
  };
  readonly postmark: string;
}

const schema: z.ZodType<Postmark> = z
  .object({
    messageHash: z.string(),
    incommingTimestamp: z.number().optional(),
    incomingTimestamp: z.number().optional(),
    signature: z.string(),
  })
  .refine((postmark) => postmark.incommingTimestamp !== undefined || postmark.incomingTimestamp !== undefined, {
    error: 'the time of arrival is missing',
  });

/**
 * Certifies when an envelope arrived, for its receiver only.
 * @returns the stringified payload that becomes `envelope.postmark`.
 * @throws InvalidKeyError if nothing can be encrypted for the receiver's key.
 */
export function createPostmark(
  crypto: CryptoProvider,
  options: {
    readonly envelopeMessage: string;
    /** Milliseconds since the epoch. */
    readonly receivedAt: number;
    /** The delivery service's, 64 bytes. */
    readonly signingKey: Uint8Array;
    readonly receiverEncryptionKey: Uint8Array;
  },
  random: RandomBytes,
): string {
  const unsigned = {
    messageHash: postmarkHash(crypto, options.envelopeMessage),
    incommingTimestamp: options.receivedAt,
  };
  const signature = signText(crypto, options.signingKey, signedText(crypto, unsigned));
  return encryptText(crypto, options.receiverEncryptionKey, stringify({ ...unsigned, signature }), random);
}

/** @throws DecryptionError if it was not made for these keys, MalformedPostmarkError */
export function openPostmark(crypto: CryptoProvider, wire: string, receiverKeys: RawKeyPair): Postmark {
  const fail = (reason: string, cause?: unknown): Error => new MalformedPostmarkError({ reason, cause });
  return parseShape(schema, decryptText(crypto, receiverKeys, wire), fail);
}

/** True if the delivery service signed this postmark, and for this envelope. */
export function verifyPostmark(
  crypto: CryptoProvider,
  postmark: Postmark,
  envelopeMessage: string,
  dsSigningKey: Uint8Array,
): boolean {
  const { signature, ...unsigned } = postmark;
  return (
    isHashOf(crypto, postmark.messageHash, envelopeMessage) &&
    verifyText(crypto, dsSigningKey, signedText(crypto, unsigned), signature)
  );
}

/** When the envelope arrived at its delivery service, milliseconds since the epoch. */
export function arrivalOf(postmark: Postmark): number {
  return (postmark.incommingTimestamp ?? postmark.incomingTimestamp)!;
}

/** The form clients fetch: delivery information in the clear, and the postmark. */
export function processedEnvelope(
  envelope: Envelope,
  deliveryInformation: DeliveryInformation,
  postmark: string,
): ProcessedEnvelope {
  return { ...envelope, metadata: { ...envelope.metadata, deliveryInformation }, postmark };
}

function postmarkHash(crypto: CryptoProvider, envelopeMessage: string): string {
  return toHex(hashPersonalMessage(crypto, stringify(envelopeMessage)));
}

/** Unlike everything else in dm3, a postmark is signed over the hash of its text. */
function signedText(crypto: CryptoProvider, unsigned: Omit<Postmark, 'signature'>): string {
  return sha256Text(crypto, stringify(unsigned));
}

/** The clients' EIP-191 hash, or the specification's SHA-256. */
function isHashOf(crypto: CryptoProvider, text: string, envelopeMessage: string): boolean {
  const hash = parseHash(text);
  return hash === postmarkHash(crypto, envelopeMessage) || hash === sha256Text(crypto, envelopeMessage);
}
