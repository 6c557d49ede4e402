import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '../../config/errors.js';
import type { EmailConfig } from './config.js';

export interface DkimKey {
  /** Null signs as the domain in From. */
  readonly domain: string | null;
  readonly selector: string;
  /** PEM */
  readonly privateKey: string;
}

/** @throws ConfigError if the key cannot be read or used */
export function loadDkimKey(config: EmailConfig['dkim']): DkimKey | null {
  if (config === undefined) return null;
  try {
    const privateKey = config.privateKey ?? readFileSync(config.privateKeyFile!, 'utf8');
    createPrivateKey(privateKey);
    return { domain: config.domain ?? null, selector: config.selector, privateKey };
  } catch (cause) {
    const message = 'email.dkim: the private key cannot be used; it must be an RSA or Ed25519 key in PEM.';
    throw new ConfigError({ message, cause });
  }
}

/**
 * Puts a DKIM signature (RFC 6376) before a finished mail. Deterministic: both algorithms are, and the time is given.
 * @param options.domain the domain in From
 * @param options.at signing time, milliseconds since the epoch
 */
export async function signMail(
  raw: Buffer,
  key: DkimKey | null,
  options: { domain: string; at: number },
): Promise<Buffer> {
  if (key === null) return raw;
  const identity = { ...key, signingDomain: key.domain ?? options.domain };
  const signTime = new Date(options.at);
  const { dkimSign } = await import('mailauth'); // heavy: not before there is mail
  const { signatures, errors } = await dkimSign(raw, { ...identity, signTime, signatureData: [identity] });
  if (signatures === '') throw new ConfigError({ message: 'email.dkim: the key does not sign.', cause: errors?.[0] });
  return Buffer.concat([Buffer.from(signatures), raw]);
}
