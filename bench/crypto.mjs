import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { profileKeysFromSeed } from '../dist/protocol/crypto/keys.js';
import { createNobleProvider } from '../dist/protocol/crypto/noble.js';
import { createSodiumProvider } from '../dist/protocol/crypto/sodium.js';
import { toBase64 } from '../dist/protocol/encoding/base64.js';
import { openDeliveryInformation, verifyEnvelope } from '../dist/protocol/envelope/envelope.js';
import { createPostmark } from '../dist/protocol/envelope/postmark.js';
import { newEnvelope } from './envelopes.mjs';
import { median } from './statistics.mjs';

const CHECK_EVERY = 5;

/**
 * How often a core does the deliver step of a delivery service: open the delivery information, verify the envelope's
 * signature, make the postmark.
 */
export async function measureCrypto({ rounds, cryptoMs }) {
  const sodium = await createSodiumProvider();
  const [from, to, service] = ['sender.eth', 'receiver.eth', 'ds.eth'].map((name) => ({
    name,
    keys: profileKeysFromSeed(sodium, randomBytes(32)),
  }));
  const envelope = newEnvelope(sodium, { from, to, serviceKey: service.keys.encryption.publicKey });
  const parties = { envelope, from: from.keys, to: to.keys, service: service.keys };
  const steps = {
    sodium: ourStep(sodium, parties),
    noble: ourStep(createNobleProvider(), parties),
    'dm3 libraries': referenceStep(parties),
  };
  const perSecond = await interleaved(steps, rounds, cryptoMs);
  const rows = Object.entries(perSecond).map(([name, rates]) => ({
    name,
    perSecond: median(rates),
    sodiumIs: median(rates.map((rate, round) => perSecond.sodium[round] / rate)),
  }));
  return {
    name: 'crypto',
    title: 'crypto: open delivery information, verify the signature, make the postmark (2 KB message, one core)',
    columns: { name: 'by', perSecond: 'steps/s', sodiumIs: 'sodium is x times that' },
    rows,
    figures: rows,
  };
}

function ourStep(crypto, { envelope, from, to, service }) {
  return () => {
    openDeliveryInformation(crypto, envelope, service.encryption);
    if (!verifyEnvelope(crypto, envelope, from.signing.publicKey)) throw new Error('The signature does not verify.');
    const options = {
      envelopeMessage: envelope.message,
      receivedAt: Date.now(),
      signingKey: service.signing.privateKey,
      receiverEncryptionKey: to.encryption.publicKey,
    };
    return createPostmark(crypto, options, randomBytes);
  };
}

/** The same step by the libraries that dm3's own delivery service is made of. */
function referenceStep({ envelope, from, to, service }) {
  const require = createRequire(import.meta.url);
  const delivery = require('@dm3-org/dm3-lib-delivery');
  const { checkSignature } = require('@dm3-org/dm3-lib-crypto');
  const { stringify } = require('@dm3-org/dm3-lib-shared');
  const encryptionKeys = {
    publicKey: toBase64(service.encryption.publicKey),
    privateKey: toBase64(service.encryption.privateKey),
  };
  const [senderKey, receiverKey] = [toBase64(from.signing.publicKey), toBase64(to.encryption.publicKey)];
  const signingKey = toBase64(service.signing.privateKey);
  return async () => {
    await delivery.decryptDeliveryInformation(envelope, encryptionKeys);
    const { signature, ...signed } = envelope.metadata;
    if (!(await checkSignature(senderKey, stringify(signed), signature))) throw new Error('It does not verify.');
    return stringify(await delivery.addPostmark(envelope, receiverKey, signingKey));
  };
}

/** One after the other in every round, so that a busy machine slows all of them alike. */
async function interleaved(steps, rounds, milliseconds) {
  const rates = Object.fromEntries(Object.keys(steps).map((name) => [name, []]));
  for (const step of Object.values(steps)) await rateOf(step, milliseconds / 2); // warm-up
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, step] of Object.entries(steps)) rates[name].push(await rateOf(step, milliseconds));
  }
  return rates;
}

async function rateOf(step, milliseconds) {
  const start = performance.now();
  let done = 0;
  while (performance.now() - start < milliseconds) {
    for (let repeat = 0; repeat < CHECK_EVERY; repeat += 1) await step();
    done += CHECK_EVERY;
  }
  return (done / (performance.now() - start)) * 1_000;
}
