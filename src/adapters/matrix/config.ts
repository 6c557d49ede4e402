import { z } from 'zod';

const seconds = z.number().int().positive();
const server = z
  .string()
  .regex(/^[a-z0-9.-]+(:\d{1,5})?$/i, 'expected the name in user ids, such as example.org')
  .transform((text) => text.toLowerCase());

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
  retrySeconds: z.number().positive().default(2).describe('First pause after an event could not be handled.'),
});

export type MatrixConfig = z.output<typeof matrixConfigSchema>;
export type MatrixConfigInput = z.input<typeof matrixConfigSchema>;
