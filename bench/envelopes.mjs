import { randomBytes } from 'node:crypto';
import { encryptText } from '../dist/protocol/crypto/payload.js';
import { stringify } from '../dist/protocol/encoding/stringify.js';
import { buildEnvelope } from '../dist/protocol/envelope/envelope.js';
import { messageHash, signMessage } from '../dist/protocol/envelope/message.js';

const MESSAGE_BYTES = 2_048;

/** A genuine envelope, its message of 2 KB unless said otherwise, unlike every other. */
export function newEnvelope(crypto, { from, to, serviceKey, dialect = 'messageHash', messageBytes = MESSAGE_BYTES }) {
  const text = randomBytes(messageBytes / 2).toString('hex');
  const metadata = { to: to.name, from: from.name, timestamp: Date.now(), type: 'NEW' };
  const message = signMessage(crypto, { message: text, metadata, attachments: [] }, from.keys.signing.privateKey);
  const parts = {
    encryptedMessage: encryptText(crypto, to.keys.encryption.publicKey, stringify(message), randomBytes),
    messageHash: messageHash(crypto, message),
    dialect,
    deliveryInformation: { to: to.name, from: from.name },
    deliveryServiceEncryptionKey: serviceKey,
    senderSigningKey: from.keys.signing.privateKey,
  };
  return buildEnvelope(crypto, parts, randomBytes);
}
