import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import type { ProfileKeys } from '../../protocol/crypto/keys.js';
import { decryptText } from '../../protocol/crypto/payload.js';
import { fromBase64 } from '../../protocol/encoding/base64.js';
import { parseMessage, verifyMessage, type Dm3Message } from '../../protocol/envelope/message.js';
import type { OpeningKeys } from '../ghosts/ghost.service.js';
import { KeysReplacedError, MessageUnusableError } from './errors.js';
import type { FromDm3Payload } from './payload.js';

/**
 * Opens an accepted envelope with the ghost's keys and checks the message's own signature against the key its envelope
 * was verified with.
 * @throws MessageUnusableError, KeysReplacedError
 */
export function openMessage(crypto: CryptoProvider, payload: FromDm3Payload, keys: OpeningKeys): Dm3Message {
  const message = parse(decrypt(crypto, payload.envelope.message, keys));
  if (!verifyMessage(crypto, message, fromBase64(payload.sender.signingKey))) {
    throw new MessageUnusableError({ reason: "its signature does not match the sender's dm3 profile" });
  }
  return message;
}

function decrypt(crypto: CryptoProvider, wire: string, { valid, replaced }: OpeningKeys): string {
  const text = decryptWithAny(crypto, wire, valid);
  if (text !== null) return text;
  if (decryptWithAny(crypto, wire, replaced) !== null) throw new KeysReplacedError();
  throw new MessageUnusableError({ reason: "it is not encrypted for the key in the receiver's profile" });
}

/** Null if none of the keys is the one. */
function decryptWithAny(crypto: CryptoProvider, wire: string, keys: readonly ProfileKeys[]): string | null {
  for (const { encryption } of keys) {
    try {
      return decryptText(crypto, encryption, wire);
    } catch {
      continue;
    }
  }
  return null;
}

function parse(text: string): Dm3Message {
  try {
    return parseMessage(text);
  } catch (cause) {
    throw new MessageUnusableError({ reason: 'its content is not a dm3 message', cause });
  }
}
