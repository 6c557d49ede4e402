import { z } from 'zod';

const seconds = z.number().int().positive();
const server = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?$/i, 'expected the name in user ids, such as example.org')
  .transform((text) => text.toLowerCase());

const userPattern = z
  .string()
  .regex(/^(\*|[@*]\S*:\S+)$/, 'expected a pattern of user ids, such as "@*:example.org" or "*:evil.example"');
const limit = z.number().int().positive();
const limits = z
  .strictObject({
    messagesPerMinute: limit.default(60).describe('Of one person on Matrix; what is more is handled later, in order.'),
    invitationsPerHour: limit.default(30).describe('Chats that one person on Matrix opens.'),
    newChatsPerHour: limit.default(30).describe('People on Matrix to whom one dm3 identity writes first.'),
  })
  .prefault({});

/** The section `matrix` of the configuration. */
export const matrixConfigSchema = z.strictObject({
  homeserverUrl: z
    .url({ protocol: /^https?$/, error: 'expected the URL of the homeserver' })
    .transform((url) => url.replace(/\/+$/, ''))
    .describe('Where this machine reaches the client-server API of the homeserver.'),
  serverName: server.describe('What follows the colon in its user ids: example.org in @alice:example.org.'),
  registrationFile: z
    .string()
    .min(1)
    .describe('Written by "dm3-gateway matrix registration"; the homeserver reads the same. Holds both tokens.'),
  timeoutSeconds: seconds.default(60).describe('How long the homeserver may take for an answer.'),
  maxMediaBytes: z
    .number()
    .int()
    .min(1_000)
    .default(20_000_000)
    .describe('Largest file taken from Matrix, bytes; the receiver may take less.'),
  mediaMemoryBytes: z
    .number()
    .int()
    .min(1_000)
    .default(40_000_000)
    .describe('Files from Matrix that are under way at the same time, bytes together; further ones wait.'),
  readReceipts: z.boolean().default(true).describe('Pass read receipts on, in both directions.'),
  bridgeNotices: z
    .boolean()
    .default(false)
    .describe('Also pass on m.notice messages, which machines write; two bridges may then answer each other for ever.'),
  bridgeBy: z
    .array(z.string().regex(/^@/, 'expected user ids or patterns of them, such as "@*:example.org"'))
    .optional()
    .describe('Who may bridge rooms, if the room lets them: ids of users, * for anything. Default: all of serverName.'),
  joinByWriting: z
    .boolean()
    .default(true)
    .describe(
      'People of dm3 join public rooms that are bridged by writing to them; otherwise they need an invitation.',
    ),
  askMembers: z
    .boolean()
    .default(false)
    .describe('Those of dm3 whom somebody brings into a room are asked first, and get nothing before they agree.'),
  maxMembers: z.number().int().min(1).max(10_000).default(200).describe('People of dm3 in one room, at most.'),
  allow: z
    .array(userPattern)
    .min(1, 'nobody could be reached: "*" stands for everybody')
    .default(['*'])
    .describe('Whom of Matrix this gateway serves: ids of users, * for anything.'),
  block: z.array(userPattern).default([]).describe('Whom it does not serve, also where "allow" does.'),
  limits,
  retrySeconds: z.number().positive().default(2).describe('First pause after an event could not be handled.'),
});

export type MatrixConfig = z.output<typeof matrixConfigSchema>;
export type MatrixConfigInput = z.input<typeof matrixConfigSchema>;
