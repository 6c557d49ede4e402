import { isIP } from 'node:net';
import type { SecretFiles } from '../config/secret-files.js';

interface Values {
  readonly root: string;
  readonly mailDomain: string;
  readonly url: string;
  readonly files: SecretFiles;
}

/** The commented configuration that `init` writes. Everything commented out shows its default. */
export function configTemplate({ root, mailDomain, url, files }: Values): string {
  return `# dm3-gateway. Every setting can also come from the environment:
# DM3_GATEWAY_HTTP__PORT=8090 sets http.port, DM3_GATEWAY_DATABASE__PASSWORD sets database.password.

# What this process does: all, or a list of api, worker, email-in, matrix, xmtp. How several processes
# share the work, and the section "broker": docs/machines.md.
# roles: all

# PostgreSQL 15 or later. The schema is made and migrated at start.
database:
  host: 127.0.0.1          # or the directory of a unix socket
  port: 5432
  user: dm3_gateway
  # password: from DM3_GATEWAY_DATABASE__PASSWORD
  database: dm3_gateway
  # schema: dm3_gateway
  # poolSize: 10           # connections; one or two more listen
  # connectSeconds: 10     # how long a request waits for one of them
  # statementSeconds: 30
  # lockSeconds: 20        # how long a start waits for another one, or for a backup under way
  # ssl: false

# The delivery service, CCIP-read, health and metrics. Put a TLS proxy before it that passes
# WebSockets on.
http:
  host: 127.0.0.1
  port: 8080
  publicUrl: ${url}
  # trustedProxies: [loopback] # whose X-Forwarded-For is believed; also addresses and ranges

# For you: states of messages, dead letters. Keep it on loopback.
admin:
  host: 127.0.0.1
  port: 8081

# How names are looked up.
ens:
  rpcUrls:                 # the preferred one first
    - http://127.0.0.1:8545
  # chainId: 1
  # registry: "0x00000000000c2e074ec69a0dfb2997ba6c7d2e1e"
  # timeoutMs: 8000
  # cacheSeconds: 300      # a rotated key is seen within it
  # negativeCacheSeconds: 60
  # balanceCacheSeconds: 60 # nonces and balances, for spam rules
  # ipfsGateway: https://ipfs.io
  # acceptBareProfiles: false # true: unsigned profiles too, of primary names

names:
  root: ${root}            # alice@example.com is alice._at.example.com.email.${root}
  topLevelAliases:         # short forms: alice._at.example.com.email
    email: email.${root}
  # aliasRegistry: "0x..." # a contract whose aliases override these (aliasRegistryChain, if it is elsewhere)
  # aliasCacheSeconds: 300

# subdomains:              # see docs/subdomains.md
#   enabled: false         # give out <address>.addr.${root} and <label>.user.${root}
#   reserved: []           # labels that nobody gets, beside the usual ones
#   minBalance: "0"        # what an address must hold to claim a label, wei

# links:                   # see docs/linked-profiles.md
#   enabled: false         # let people prove that an address outside dm3 is theirs
#   codesPerMinute: 10     # mailed for it, to all people together

ccipRead:
  resolvers:               # your OffchainResolver contract
    - "0x0000000000000000000000000000000000000000"
  # digest: plain          # or eip191, as the deployed contract checks it
  # validitySeconds: 300
  # signerVersion: 1       # counts up to change the signing key, see docs/contracts.md
  # requestsPerMinute: 30000 # by client address

deliveryService:
  name: ds.${root}
  # sizeLimit: 10000000    # bytes
  # messageTtlDays: 0      # 0 keeps unread messages for ever; else 30 or more
  # deliveryStateDays: 30  # how long senders who may ask are told that a message was acknowledged
  signUp:
    policy: allow-list     # open, allow-list or suffix
    names: []
  # limits: { submissionsPerMinute: 60000, requestsPerMinute: 6000, rpcCallsPerMinute: 60000 } # by sender; by client address
  # quota: { messages: 1000000, bytes: 10000000000 } # what may wait in one mailbox
  # metrics: { intervalSeconds: 86400, retentionSeconds: 864000 } # sums that /ds/metrics shows to everybody
  # deviceCursors: false   # true: a device that names itself acknowledges for itself only
  # legacyLogin: false     # true: serve clients of the older delivery API below /legacy/ds

# How accounts are told that messages wait, if they ask for it. Mail needs the email section.
# notifications: { email: true, push: true, intervalSeconds: 900, delaySeconds: 10 }

# How long and how often delivery is tried. When it is over, the sender is told.
# delivery:
#   expirySeconds: { dm3: 604800, email: 432000 }
#   retry: { email: { firstSeconds: 30, factor: 2, maxSeconds: 7200 } }
#   delayNoticeSeconds: 3600 # senders are told once that a message still waits; 0 = never
#   concurrency: 32        # messages under way, in each process
#   perDestination: 4      # to one mail domain or delivery service, in all processes together
#   backPressure: { maxWaiting: 2000000, diskPaths: [/var/lib/postgresql], minFreeBytes: 500000000 }
#   conversationDays: 7
#   mapDays: 400
#   deadLetterDays: 30

# How SIGTERM ends it. See docs/packaging.md.
# shutdown: { readinessGraceSeconds: 1, requestSeconds: 10, limitSeconds: 25 }

# attachments:             # see docs/attachments.md
#   enabled: false         # keep files that are too large for a receiver, and send links to them
#   maxBytes: 25000000     # one file
#   maxBytesPerMessage: 50000000
#   receiverBytesPerDay: 500000000
#   quotaBytes: 10000000000
#   days: 30               # how long a link is good
#   requestsPerMinute: 600 # by client address

email:
  domains: [${mailDomain}]
${hostnameLine(url)}  listen: { host: 0.0.0.0, port: 25 }
  # maxMessageBytes: 26214400
  # maxBytesInFlight: 134217728 # mail held in memory at a time
  # timeouts: { idleSeconds: 60, shutdownSeconds: 10 } # mail under way gets so long to finish when we stop
  # tls: { key: /etc/dm3-gateway/tls.key, cert: /etc/dm3-gateway/tls.crt }
  # outgoing: { smartHost: { host: mail.example.org, port: 587, user: gateway, pass: "..." } }
  dkim:
    selector: gateway
    privateKeyFile: ${JSON.stringify(files.dkimKeyFile)}

# matrix:                  # see docs/matrix.md
#   homeserverUrl: http://127.0.0.1:8008
#   serverName: example.org
#   registrationFile: /etc/dm3-gateway/matrix-registration.yaml # "dm3-gateway matrix registration" writes it

secrets:
  rootSecretFile: ${JSON.stringify(files.rootSecretFile)}
  storageKeysFile: ${JSON.stringify(files.storageKeysFile)}

# logLevel: info
`;
}

/** A mail server needs a name of its own; somebody who tries this out on his machine has none. */
function hostnameLine(url: string): string {
  const { hostname } = new URL(url);
  if (isIP(hostname) !== 0 || !hostname.includes('.')) return '';
  return `  hostname: ${hostname}    # of this mail server: the MX of the domains points to it\n`;
}
