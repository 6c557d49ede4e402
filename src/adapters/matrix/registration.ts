import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../../config/errors.js';
import { GHOST_PREFIX } from './ghost-id.js';

const schema = z.object({
  id: z.string().min(1),
  url: z.string().nullable(),
  as_token: z.string().min(16),
  hs_token: z.string().min(16),
  sender_localpart: z.string().min(1),
  rate_limited: z.boolean().optional(),
  receive_ephemeral: z.boolean().optional(),
  namespaces: z.object({ users: z.array(z.object({ exclusive: z.boolean(), regex: z.string() })).default([]) }),
});

/** What the homeserver knows of us (Matrix: application service registration). */
export type Registration = Readonly<z.output<typeof schema>>;

/** A new registration, with tokens of its own. @param url where the homeserver reaches us */
export function newRegistration({ serverName, url }: { serverName: string; url: string }): Registration {
  return {
    id: 'dm3-gateway',
    url,
    as_token: randomBytes(32).toString('hex'),
    hs_token: randomBytes(32).toString('hex'),
    sender_localpart: 'dm3bot',
    rate_limited: false,
    receive_ephemeral: true,
    namespaces: { users: [{ exclusive: true, regex: userRegex(serverName) }] },
  };
}

/** The user ids that are ours alone. */
export function userRegex(serverName: string): string {
  return `@${GHOST_PREFIX}.*:${serverName.replaceAll('.', String.raw`\.`)}`;
}

/** For the file that homeserver and gateway share. */
export function formatRegistration(registration: Registration): string {
  const { namespaces, ...rest } = registration;
  // Synapse sent read receipts under this name before the specification had one.
  const older = { 'de.sorunome.msc2409.push_ephemeral': true };
  return stringify({ ...rest, ...older, namespaces: { users: namespaces.users, aliases: [], rooms: [] } });
}

/** @throws ConfigError naming the file and the fix */
export function readRegistration(file: string): Registration {
  try {
    return schema.parse(parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message.split('\n', 1)[0];
    const message = `matrix.registrationFile: ${file} is not usable: ${reason} "dm3-gateway matrix registration" writes one.`;
    throw new ConfigError({ message, cause });
  }
}
