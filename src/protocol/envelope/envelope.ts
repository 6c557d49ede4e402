import { z } from 'zod';
import type { Hash } from '../../common/ids.js';
import { base64Length } from '../encoding/base64.js';
import { parseHash } from '../encoding/hex.js';
import { parseShape } from '../encoding/json.js';
import { sha256Text, stringifiedLength, stringify } from '../encoding/stringify.js';
import { decryptText, encryptText, payloadLength } from '../crypto/payload.js';
import { PADDING_BLOCK } from '../crypto/padding.js';
import type { CryptoProvider, RandomBytes, RawKeyPair } from '../crypto/provider.js';
import { signText, verifyTextOrHash } from '../crypto/signature.js';
import {
  MalformedDeliveryInformationError,
  MalformedEnvelopeError,
  UnsupportedEncryptionSchemeError,
} from './errors.js';

/**
 * The two living dialects of dm3 differ in one member, and each refuses the other's: `messageHash` since September
 * 2024, `encryptedMessageHash` in everything older (the libraries on npm among them).
 */
export type Dialect = 'messageHash' | 'encryptedMessageHash';

export const ENCRYPTION_SCHEME = 'x25519-chacha20-poly1305';

/** Who writes to whom; only the delivery service can open it. Names are spelled as the sender's client likes. */
export interface DeliveryInformation {
  readonly to: string;
  readonly from: string;
  readonly deliveryInstruction?: string;
}

export interface EnvelopeMetadata {
  readonly version?: string;
  readonly encryptionScheme?: string;
  /** A payload (stringified) for the delivery service: `DeliveryInformation`. */
  readonly deliveryInformation: string;
  readonly messageHash?: string;
  readonly encryptedMessageHash?: string;
  /** base64 of Ed25519 over the stringified rest of the metadata, by the sender's profile. */
  readonly signature: string;
}

/** What a delivery service is sent (dm3 MTP: envelope). A parsed one also holds unknown members it came with. */
export interface Envelope {
  /** A payload (stringified) for the receiver: the message. */
  readonly message: string;
  readonly metadata: EnvelopeMetadata;
}

const envelopeSchema: z.ZodType<Envelope> = z.object({
  message: z.string().min(1),
  metadata: z.object({
    version: z.string().optional(),
    encryptionScheme: z.string().optional(),
    deliveryInformation: z.string().min(1),
    messageHash: z.string().optional(),
    encryptedMessageHash: z.string().optional(),
    signature: z.string(),
  }),
});

const deliveryInformationSchema: z.ZodType<DeliveryInformation> = z.object({
  to: z.string().min(1),
  from: z.string().min(1),
  deliveryInstruction: z.string().optional(),
});

/**
 * Reads an envelope of either dialect; unknown members stay, since they are signed.
 * @param input JSON text or the object itself: clients send both.
 * @throws MalformedEnvelopeError, UnsupportedEncryptionSchemeError
 */
export function parseEnvelope(input: unknown): Envelope {
  const fail = (reason: string, cause?: unknown): Error => new MalformedEnvelopeError({ reason, cause });
  const envelope = parseShape(envelopeSchema, input, fail);
  const scheme = envelope.metadata.encryptionScheme ?? ENCRYPTION_SCHEME;
  if (scheme !== ENCRYPTION_SCHEME) throw new UnsupportedEncryptionSchemeError({ supported: ENCRYPTION_SCHEME });
  return envelope;
}

/** Bytes of the stringified envelope: what a delivery service compares with its `sizeLimit`. */
export function envelopeSize(envelope: Envelope): number {
  return stringifiedLength(envelope);
}

// Quotes of a payload are escaped when it becomes a member of the envelope: two for each of its three members' names
// and values.
const ESCAPES_PER_PAYLOAD = 12;
const FRAME_BYTES = envelopeSize({
  message: '',
  metadata: {
    version: 'v1',
    encryptionScheme: ENCRYPTION_SCHEME,
    deliveryInformation: '',
    encryptedMessageHash: '0x'.padEnd(66, '0'),
    signature: ''.padEnd(base64Length(64)),
  },
});

/**
 * Size of the envelope `buildEnvelope` makes of a stringified message of so many UTF-8 bytes, before encrypting it:
 * exact for the older dialect, 9 bytes too many for the newer one, provided that the delivery information fits into one
 * padding block (2047 bytes; with two names in it, it does).
 */
export function predictEnvelopeSize(messageTextBytes: number): number {
  const deliveryInformation = payloadLength(PADDING_BLOCK - 1);
  return FRAME_BYTES + payloadLength(messageTextBytes) + deliveryInformation + 2 * ESCAPES_PER_PAYLOAD;
}

/** The older dialect's hash: of the encrypted message as a quoted JSON string. */
export function encryptedMessageHash(crypto: CryptoProvider, encryptedMessage: string): Hash {
  return sha256Text(crypto, stringify(encryptedMessage));
}

/** The hash the sender put into the metadata, which is how both sides' clients refer to the message; null if none. */
export function claimedHash(envelope: Envelope): Hash | null {
  return claimedHashes(envelope)[0] ?? null;
}

/** Every hash under which somebody may refer to this envelope: those it claims, and the one that can be computed. */
export function envelopeHashes(crypto: CryptoProvider, envelope: Envelope): readonly Hash[] {
  return [...new Set([...claimedHashes(envelope), encryptedMessageHash(crypto, envelope.message)])];
}

/**
 * Puts an encrypted message into an envelope for one delivery service and signs it.
 * @param options.encryptedMessage from `encryptText` with the receiver's key.
 * @param options.messageHash of the plaintext message; only the newer dialect uses it.
 * @throws InvalidKeyError if nothing can be encrypted for the delivery service's key.
 */
export function buildEnvelope(
  crypto: CryptoProvider,
  options: {
    readonly encryptedMessage: string;
    readonly messageHash: Hash;
    readonly dialect: Dialect;
    readonly deliveryInformation: DeliveryInformation;
    readonly deliveryServiceEncryptionKey: Uint8Array;
    /** 64 bytes. */
    readonly senderSigningKey: Uint8Array;
  },
  random: RandomBytes,
): Envelope {
  const { encryptedMessage, dialect, deliveryInformation, deliveryServiceEncryptionKey } = options;
  const hash = dialect === 'messageHash' ? options.messageHash : encryptedMessageHash(crypto, encryptedMessage);
  const unsigned = {
    version: 'v1',
    encryptionScheme: ENCRYPTION_SCHEME,
    deliveryInformation: encryptText(crypto, deliveryServiceEncryptionKey, stringify(deliveryInformation), random),
    [dialect]: hash,
  };
  const signature = signText(crypto, options.senderSigningKey, stringify(unsigned));
  return { message: encryptedMessage, metadata: { ...unsigned, signature } };
}

/**
 * True if the holder of the key signed the metadata. The signature covers the message only through its hash, which the
 * newer dialect takes over the plaintext.
 */
export function verifyEnvelope(crypto: CryptoProvider, envelope: Envelope, signingPublicKey: Uint8Array): boolean {
  const { signature, ...unsigned } = envelope.metadata;
  return verifyTextOrHash(crypto, signingPublicKey, stringify(unsigned), signature);
}

/**
 * Opens what tells a delivery service where the message goes.
 * @throws DecryptionError if it was not made for these keys, MalformedDeliveryInformationError
 */
export function openDeliveryInformation(
  crypto: CryptoProvider,
  envelope: Envelope,
  dsEncryptionKeys: RawKeyPair,
): DeliveryInformation {
  const text = decryptText(crypto, dsEncryptionKeys, envelope.metadata.deliveryInformation);
  const fail = (reason: string, cause?: unknown): Error => new MalformedDeliveryInformationError({ reason, cause });
  return parseShape(deliveryInformationSchema, text, fail);
}

function claimedHashes({ metadata }: Envelope): Hash[] {
  return [metadata.messageHash, metadata.encryptedMessageHash]
    .map((text) => parseHash(text ?? ''))
    .filter((hash) => hash !== null);
}
