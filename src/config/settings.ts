import { z } from 'zod';
import { roleProblem, splitRoles } from './roles.js';

const port = z.number().int().min(0).max(65_535);
const seconds = z.number().int().positive();
const ethAddress = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'expected an Ethereum address (0x and 40 hex digits)')
  .transform((text) => text.toLowerCase());
const contractAddress = ethAddress.refine(
  (address) => !/^0x0+$/.test(address),
  'the address of a deployed contract goes here, "dm3-gateway init" says which',
);
const ensName = z
  .string()
  .min(3)
  .regex(/^[^.\s]+(\.[^.\s]+)+$/, 'expected an ENS name such as gateway.eth');
const rpcUrl = z.url({ protocol: /^https?$/, error: 'expected the http(s) URL of an Ethereum node' });
const baseUrl = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ''));

const database = z.strictObject({
  host: z.string().describe('Host name, or the directory of a unix socket.'),
  port: port.default(5432),
  user: z.string(),
  password: z.string().optional(),
  database: z.string(),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]*$/)
    .default('dm3_gateway'),
  poolSize: z.number().int().min(2).max(200).default(10),
  connectSeconds: seconds.default(10).describe('How long a request waits for a connection, free or new.'),
  statementSeconds: seconds.default(30).describe('How long a statement may take.'),
  lockSeconds: seconds.default(20).describe('How long a start waits for another one, or for whoever uses the tables.'),
  ssl: z.boolean().default(false),
});

const http = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: port.default(8080),
  publicUrl: baseUrl.describe('How the world reaches this service, without a path: https://gateway.example.org'),
  trustedProxies: z
    .array(z.union([z.enum(['loopback', 'linklocal', 'uniquelocal']), z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
    .default(['loopback'])
    .describe('Whose X-Forwarded-For is believed: proxies in front of this service.'),
});

const admin = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Keep it on loopback: whoever reaches it needs only a token.'),
  port: port.default(8081),
});

const ens = z.strictObject({
  rpcUrls: z
    .union([rpcUrl, z.array(rpcUrl).min(1)])
    .transform((urls) => [urls].flat())
    .describe('Ethereum JSON-RPC endpoints, the preferred one first (docs/ethereum.md).'),
  chainId: z.number().int().positive().default(1),
  registry: ethAddress.default('0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e'),
  timeoutMs: z.number().int().min(100).default(8_000),
  cacheSeconds: seconds
    .default(300)
    .describe('How long a profile and the address of a name are believed; a rotated key is seen within it.'),
  negativeCacheSeconds: seconds.default(60),
  balanceCacheSeconds: seconds.default(60).describe('How long nonces and balances are believed, for spam rules.'),
  ipfsGateway: baseUrl
    .default('https://ipfs.io')
    .describe('Asked for /ipfs/<cid>; your own may be on a private network.'),
  acceptBareProfiles: z
    .boolean()
    .default(false)
    .describe('Use profiles without a signature, of names that are the primary names of their addresses.'),
  allowPrivateFetch: z.boolean().default(false).describe('Only for a sandbox: fetch profiles from private addresses.'),
});

/** What dm3's clients have built in. */
export const SHIPPED_ALIASES: Readonly<Record<string, string>> = { gno: 'gnosis.eth', up: 'up.dm3.eth' };

const names = z.strictObject({
  root: ensName.describe('Foreign addresses get names under it: alice._at.example.com.email.<root>'),
  topLevelAliases: z
    .record(z.string(), z.string())
    .default({})
    .transform((own) => ({ ...SHIPPED_ALIASES, ...own }))
    .describe('label.<toplevel> stands for label.<alias>; an empty alias takes a shipped one out.'),
  aliasRegistry: ethAddress.optional().describe('Contract whose aliases override these (docs/top-level-alias.md).'),
  aliasRegistryChain: z
    .strictObject({ rpcUrls: z.array(rpcUrl).min(1), chainId: z.number().int().positive() })
    .optional()
    .describe('Where that contract is; the chain of ENS when not set.'),
  aliasCacheSeconds: seconds.default(300).describe('How long an alias of the contract is believed.'),
});

const subdomains = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Give out <address>.addr.<root> and <label>.user.<root>.'),
    reserved: z.array(z.string()).default([]).describe('Labels that nobody gets, beside the usual ones.'),
    minBalance: z
      .string()
      .regex(/^\d+$/, 'must be a whole number of wei')
      .default('0')
      .describe('What an address must hold to claim a label, wei.'),
  })
  .prefault({});

const links = z
  .strictObject({
    enabled: z.boolean().default(false).describe('Let people prove that an address outside dm3 is theirs.'),
    codesPerMinute: z.number().int().positive().default(10).describe('Codes mailed for it, to all people together.'),
  })
  .prefault({});

const ccipRead = z.strictObject({
  resolvers: z.array(contractAddress).min(1).describe('Resolver contracts we sign answers for.'),
  digest: z.enum(['plain', 'eip191']).default('plain').describe('What the deployed verifier hashes before recovery.'),
  validitySeconds: seconds
    .default(300)
    .describe('How long an answer can be used; half as long the same one is given to all who ask.'),
  signerVersion: z
    .number()
    .int()
    .positive()
    .default(1)
    .describe('Counts up to change the signing key (docs/contracts.md).'),
  requestsPerMinute: z.number().int().positive().default(30_000).describe('Lookups, by client address.'),
});

const deliveryService = z.strictObject({
  name: ensName.describe("ENS name that users put into their profile's deliveryServices."),
  sizeLimit: z.number().int().min(10_000).default(10_000_000).describe('Largest envelope taken, bytes.'),
  messageTtlDays: z
    .number()
    .int()
    .min(0)
    .default(0)
    .refine((days) => days === 0 || days >= 30, 'dm3 asks for 30 days at least; 0 keeps messages for ever')
    .describe('Unread messages are kept so long; 0 = for ever.'),
  deliveryStateDays: z
    .number()
    .int()
    .positive()
    .default(30)
    .describe('How long senders who may ask are told that a message was acknowledged or recalled.'),
  signUp: z
    .strictObject({
      policy: z.enum(['open', 'allow-list', 'suffix']).default('allow-list'),
      names: z.array(z.string()).default([]).describe('allow-list: ENS names; suffix: endings such as .dao.eth'),
    })
    .prefault({}),
  sessionSeconds: seconds.default(3_600),
  challengeSeconds: seconds.default(900),
  legacyLogin: z
    .boolean()
    .default(false)
    .describe('Serve clients of the older delivery API, with <publicUrl>/legacy/ds as their base URL.'),
  deviceCursors: z
    .boolean()
    .default(false)
    .describe('A device that names itself acknowledges for itself only; else one acknowledgement is for all.'),
  limits: z
    .strictObject({
      submissionsPerMinute: z.number().int().positive().default(60_000).describe('Messages of one sender.'),
      requestsPerMinute: z.number().int().positive().default(6_000).describe('Logins and profiles, by client address.'),
      rpcCallsPerMinute: z.number().int().positive().default(60_000).describe('JSON-RPC calls, by client address.'),
    })
    .prefault({}),
  quota: z
    .strictObject({
      messages: z.number().int().positive().default(1_000_000),
      bytes: z.number().int().positive().default(10_000_000_000),
    })
    .prefault({})
    .describe('What may wait in one mailbox.'),
  metrics: z
    .strictObject({ intervalSeconds: seconds.default(86_400), retentionSeconds: seconds.default(864_000) })
    .refine(({ intervalSeconds, retentionSeconds }) => retentionSeconds > intervalSeconds, {
      path: ['retentionSeconds'],
      error: 'no interval would ever be shown: it must be longer than intervalSeconds',
    })
    .prefault({})
    .describe('Sums of what came in, for everybody to read at /ds/metrics; a larger interval tells less.'),
});

const notifications = z.strictObject({
  email: z.boolean().default(true).describe('Offer mail, where there is an email section.'),
  push: z.boolean().default(true).describe('Offer Web Push to browsers.'),
  contact: z
    .url({ protocol: /^(https|mailto)$/ })
    .optional()
    .describe('How push services reach you: mailto:… or https://…; the public URL when not set.'),
  intervalSeconds: seconds.default(900).describe('An account is told no more often, over each of its channels.'),
  delaySeconds: z
    .number()
    .int()
    .min(0)
    .max(86_400)
    .default(10)
    .describe('A message that a client gets within so long needs no notification.'),
});

export const PER_DESTINATION = 4;
export const DELAY_NOTICE_SECONDS = 3_600;

/** A setting that is one number for all networks, or a number for each; `others` where it names none. */
export function byNetwork(setting: number | Readonly<Record<string, number>>, others: number) {
  return typeof setting === 'number' ? { byNetwork: {}, others: setting } : { byNetwork: setting, others };
}

const delivery = z.strictObject({
  expirySeconds: z
    .record(z.string(), seconds)
    .default({})
    .describe('How long delivery is tried, by network; dm3 7 days, email 5 days when not set.'),
  retry: z
    .record(
      z.string(),
      z.strictObject({
        firstSeconds: z.number().positive(),
        factor: z.number().min(1),
        maxSeconds: z.number().positive(),
      }),
    )
    .default({})
    .describe('Back-off by network; dm3 starts at 5 s, email at 30 s, both double up to an hour or two.'),
  concurrency: z.number().int().min(1).max(500).default(32).describe('Messages under way at once, in each process.'),
  perDestination: z
    .union([z.number().int().positive(), z.record(z.string(), z.number().int().positive())])
    .default(PER_DESTINATION)
    .describe('Messages under way to one destination, in all processes together; one number, or by network.'),
  delayNoticeSeconds: z
    .union([z.number().int().min(0), z.record(z.string(), z.number().int().min(0))])
    .default(DELAY_NOTICE_SECONDS)
    .describe('Authors are told once that their message still waits; 0 = never. One number, or by network.'),
  backPressure: z
    .strictObject({
      maxWaiting: z.number().int().positive().default(2_000_000).describe('Messages that may wait for delivery.'),
      maxDatabaseBytes: z.number().int().positive().optional().describe('How large the database may get.'),
      diskPaths: z.array(z.string()).default([]).describe('Directories on disks that must not run full.'),
      minFreeBytes: z.number().int().min(0).default(500_000_000).describe('What must be free on each of them.'),
    })
    .prefault({})
    .describe('Beyond these, nothing is accepted until there is room again: senders are asked to try later.'),
  leaseSeconds: seconds.default(60),
  pollSeconds: z.number().positive().default(2),
  conversationDays: z.number().int().positive().default(7).describe('A new message joins a conversation so young.'),
  mapDays: z.number().int().positive().default(400).describe('How long replies and reactions find their target.'),
  deadLetterDays: z.number().int().positive().default(30),
});

const shutdown = z
  .strictObject({
    readinessGraceSeconds: z
      .number()
      .min(0)
      .max(300)
      .default(1)
      .describe('How long we go on serving after readiness has turned red, so that load balancers see it.'),
    requestSeconds: seconds.default(10).describe('Requests under way get so long to finish then.'),
    limitSeconds: seconds
      .default(25)
      .describe('A stop that takes longer fails; below what systemd, Docker or Kubernetes wait before they kill.'),
  })
  .refine(
    ({ readinessGraceSeconds, requestSeconds, limitSeconds }) => readinessGraceSeconds + requestSeconds < limitSeconds,
    {
      path: ['limitSeconds'],
      error: 'no stop would be in time: it must be longer than readinessGraceSeconds and requestSeconds together',
    },
  );

const attachments = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("Keep files that are too large for a receiver's delivery service, and send links to them."),
    maxBytes: z.number().int().positive().default(25_000_000).describe('Largest file kept.'),
    maxBytesPerMessage: z.number().int().positive().default(50_000_000).describe('Files of one message together.'),
    receiverBytesPerDay: z.number().int().positive().default(500_000_000).describe('What one receiver gets in a day.'),
    quotaBytes: z.number().int().positive().default(10_000_000_000).describe('All that is kept.'),
    days: z.number().int().min(1).max(365).default(30).describe('How long a link is good, from acceptance on.'),
    requestsPerMinute: z.number().int().positive().default(600).describe('For pages and files, by client address.'),
  })
  .refine(({ maxBytes, maxBytesPerMessage }) => maxBytes <= maxBytesPerMessage, {
    path: ['maxBytesPerMessage'],
    error: 'the largest file would never be kept: it must be at least maxBytes',
  })
  .refine(({ maxBytesPerMessage: one, receiverBytesPerDay: day, quotaBytes: all }) => one * 1.2 <= Math.min(day, all), {
    path: ['quotaBytes'],
    error: 'quotaBytes and receiverBytesPerDay must be at least 1.2 times maxBytesPerMessage: sizes are padded',
  })
  .prefault({});

const secrets = z.strictObject({
  rootSecretFile: z.string().optional().describe('32 bytes, hex. Losing it loses every ghost identity: back it up.'),
  storageKeysFile: z.string().optional().describe('Lines of <id>:<32 bytes, hex>; the first line seals.'),
});

const roles = z
  .union([z.string(), z.array(z.string())])
  .default('all')
  .transform(splitRoles)
  .superRefine((names, context) => {
    const message = roleProblem(names);
    if (message !== null) context.addIssue({ code: 'custom', message });
  })
  .describe('What this process does (docs/machines.md); `start --role` has the last word.');

const brokerUrl = z.url({ protocol: /^amqps?$/, error: 'expected the amqp(s) URL of a RabbitMQ' });

const broker = z.strictObject({
  url: z
    .union([brokerUrl, z.array(brokerUrl).min(1)])
    .transform((urls) => [urls].flat())
    .describe('RabbitMQ 3.10 or later; several for a cluster.'),
  networks: z
    .array(z.string())
    .default([])
    .describe('What leaves for these leaves from the process with their role, beside networks that know no other way.'),
  prefetch: z.number().int().min(1).max(1_000).default(16).describe('How much such a process sends at once.'),
  replyTimeoutSeconds: seconds
    .default(90)
    .describe('How long its answer is waited for; longer than the network itself may take.'),
});

/** The core's sections. Every adapter brings its own (`adapters/<network>/config.ts`). */
export const coreSettings = {
  roles,
  database,
  http,
  admin: admin.prefault({}),
  ens,
  names,
  subdomains,
  links,
  ccipRead,
  deliveryService,
  notifications: notifications.prefault({}),
  delivery: delivery.prefault({}),
  shutdown: shutdown.prefault({}),
  attachments,
  broker: broker.optional(),
  secrets: secrets.prefault({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
} as const;

export const coreSchema = z.object(coreSettings);

export type Settings = z.output<typeof coreSchema>;
export type SettingsInput = z.input<typeof coreSchema>;
