import { domainToASCII } from 'node:url';
import { z } from 'zod';

const port = z.number().int().min(0).max(65_535);
const seconds = z.number().int().positive();
const domain = z
  .string()
  .regex(/^[^\s@.]+(\.[^\s@.]+)*$/, 'expected a mail domain such as mail.example.org')
  .transform((text) => domainToASCII(text))
  .refine((text) => text !== '', 'expected a mail domain such as mail.example.org');

const dkim = z
  .strictObject({
    domain: domain.optional().describe('Signing domain (d=); the domain in From when not set.'),
    selector: z.string().min(1).describe('The public key is published at <selector>._domainkey.<domain>.'),
    privateKeyFile: z.string().optional().describe('PEM file with the RSA or Ed25519 private key.'),
    privateKey: z.string().optional().describe('The key itself, PEM, in place of a file.'),
  })
  .refine(
    ({ privateKey, privateKeyFile }) => (privateKey === undefined) !== (privateKeyFile === undefined),
    'set either privateKeyFile or privateKey',
  );

const smartHost = z.strictObject({
  host: z.string().min(1).describe('Mail server that takes everything we send.'),
  port: port.default(587).describe('Its port.'),
  secure: z.boolean().default(false).describe('TLS from the first byte (port 465); otherwise STARTTLS where offered.'),
  user: z.string().optional().describe('User name; with one, the connection must be encrypted.'),
  pass: z.string().optional().describe('Password.'),
});

const outgoing = z.strictObject({
  smartHost: smartHost.optional().describe('Without one, mail goes straight to the mail servers (MX) of its domain.'),
  timeoutSeconds: seconds.default(60).describe('How long a mail server may be silent before we try again later.'),
  port: port.default(25).describe('Port of the mail servers found by MX; anything but 25 is for tests.'),
  allowPrivate: z.boolean().default(false).describe('Deliver to mail servers with private addresses; for tests only.'),
});

const timeouts = z.strictObject({
  idleSeconds: seconds.default(60).describe('A sending mail server may be silent so long.'),
  shutdownSeconds: seconds.default(10).describe('Mail under way gets so long to finish when we stop.'),
});

const email = z.strictObject({
  domains: z.array(domain).min(1).describe('Our mail domains (bob.eth@<domain>); the first is used for new threads.'),
  listen: z
    .strictObject({
      host: z.string().default('0.0.0.0').describe('Address to listen on.'),
      port: port.default(25).describe('SMTP port; 0 takes any free one.'),
    })
    .prefault({})
    .describe('Where mail comes in.'),
  hostname: domain.optional().describe('How we greet other mail servers; the first mail domain when not set.'),
  operator: z.string().optional().describe('ENS name that gets the mail for postmaster@ and abuse@.'),
  maxMessageBytes: z.number().int().min(65_536).default(26_214_400).describe('Largest mail taken, bytes.'),
  maxBytesInFlight: z
    .number()
    .int()
    .default(134_217_728)
    .describe('Most mail held in memory at a time, bytes, over all connections; what is beyond has to come later.'),
  maxRecipients: z.number().int().positive().default(50).describe('Most receivers of one mail.'),
  maxConnections: z.number().int().positive().default(200).describe('Most mail servers connected at a time.'),
  timeouts: timeouts.prefault({}).describe('Patience with other mail servers, seconds.'),
  tls: z
    .strictObject({
      key: z.string().describe('PEM file with the private key.'),
      cert: z.string().describe('PEM file with the certificate chain.'),
    })
    .optional()
    .describe('Turns STARTTLS on.'),
  outgoing: outgoing.prefault({}).describe('How mail leaves.'),
  dkim: dkim.optional().describe('Signs what we send, so that receivers can tell it from forgeries.'),
  footer: z.boolean().default(false).describe('Ends every mail with a line that says how to answer.'),
});

/** The section `email` of the configuration. */
export const emailConfigSchema = email.refine(
  ({ maxBytesInFlight, maxMessageBytes }) => maxBytesInFlight >= maxMessageBytes,
  { path: ['maxBytesInFlight'], error: 'the largest mail would never be taken: it must be at least maxMessageBytes' },
);

export type EmailConfig = z.output<typeof emailConfigSchema>;
export type EmailConfigInput = z.input<typeof emailConfigSchema>;
