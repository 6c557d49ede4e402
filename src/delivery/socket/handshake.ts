import { z } from 'zod';
import { MalformedHandshakeError } from './errors.js';

const handshakeSchema = z.object({
  account: z.object({ ensName: z.string().min(1) }),
  token: z.string(),
});

/** Whose socket it says it is, and the session token that is to prove it. */
export interface Handshake {
  readonly ensName: string;
  readonly token: string;
}

/**
 * Reads `auth` of a socket.io handshake (dm3 delivery service socket); clients send more members of the account.
 * @throws MalformedHandshakeError
 */
export function parseHandshake(auth: unknown): Handshake {
  const { data, error } = handshakeSchema.safeParse(auth);
  if (!data) throw new MalformedHandshakeError({ cause: error });
  return { ensName: data.account.ensName, token: data.token };
}
