import { createPublicKey } from 'node:crypto';

/** Value of the TXT record for a DKIM key (RFC 6376 §3.6.1). @param pem RSA private key */
export function dkimRecord(pem: string): string {
  const key = createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64');
  return `v=DKIM1; k=rsa; p=${key}`;
}
