import type { TLSSocket } from 'node:tls';
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection';
import type { Clock } from '../../../common/clock.js';
import type { Check } from '../../../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../../../ops/doctor/finding.js';
import type { EmailConfig } from '../config.js';
import { hostnameOf } from '../dns-records.js';
import { addressesOf, namesOfAddress, type DnsResolver } from '../dns.js';

interface Parts {
  readonly config: EmailConfig;
  readonly resolver: DnsResolver;
  readonly clock: Clock;
}

/** Nobody opened; why. */
interface Silence {
  readonly reason: string;
}

/** What a mail server offers at its door. */
interface Greeting {
  readonly reason?: undefined;
  /** When its certificate ends, milliseconds since the epoch; null if it offers no TLS. */
  readonly certificateEnds: number | null;
  /** Why clients that insist on it would not believe the certificate; null if they would. */
  readonly distrust: string | null;
}

const PATIENCE_MS = 10_000;
const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** Whether mail comes in at the place that DNS names, and gets out. */
export function serverChecks(parts: Parts): Check[] {
  const { smartHost } = parts.config.outgoing;
  return [
    { subject: `mail server ${hostnameOf(parts.config)}`, run: () => incoming(parts) },
    { subject: 'outgoing mail', run: () => (smartHost ? viaSmartHost(smartHost) : directly(parts)) },
    { subject: 'postmaster', run: async () => [postmaster(parts.config)] },
  ];
}

async function incoming({ config, resolver, clock }: Parts): Promise<Finding[]> {
  const host = hostnameOf(config);
  const [address] = await addressesOf(resolver, host);
  const { port } = config.outgoing;
  if (address === undefined) {
    const fix = `Publish in DNS: ${host}. IN A <the address of this machine>`;
    return [failure('SMTP_NO_ADDRESS', `${host} has no address, so no mail server finds it.`, fix)];
  }
  const greeting = await greet({ host: address, port, servername: host });
  if (greeting.reason !== undefined) {
    const message = `Nobody answers SMTP at ${host} (${address}, port ${port}): ${greeting.reason}.`;
    const fix = `Start the gateway, and lead port ${port} to email.listen (${config.listen.host}:${config.listen.port}).`;
    return [failure('SMTP_UNREACHABLE', message, fix)];
  }
  return [
    fine('SMTP', `${host} takes mail at ${address}, port ${port}.`),
    ...encryption(host, address, greeting, clock),
  ];
}

function encryption(host: string, address: string, { certificateEnds, distrust }: Greeting, clock: Clock): Finding[] {
  if (certificateEnds === null) {
    if (isThisMachine(address)) return [];
    const message = `${host} offers no TLS: mail to us travels in the clear.`;
    return [warning('SMTP_PLAIN', message, 'Set email.tls.key and email.tls.cert to a certificate for that host.')];
  }
  const days = Math.floor((certificateEnds - clock.now()) / DAY_MS);
  const renew = 'Renew the files of email.tls and restart the gateway.';
  if (days < 0) return [failure('SMTP_CERTIFICATE', `The certificate of ${host} has expired.`, renew)];
  if (distrust !== null) {
    const message = `Mail servers that insist on TLS do not believe the certificate of ${host} (${distrust}).`;
    return [warning('SMTP_CERTIFICATE', message, `Get one for ${host} that browsers would believe, too.`)];
  }
  if (days < SOON_DAYS) return [warning('SMTP_CERTIFICATE', `The certificate of ${host} ends in ${days} days.`, renew)];
  return [fine('SMTP_TLS', `${host} offers TLS; its certificate holds for ${days} days.`)];
}

async function viaSmartHost(smartHost: NonNullable<EmailConfig['outgoing']['smartHost']>): Promise<Finding[]> {
  const { host, port, secure } = smartHost;
  const greeting = await greet({ host, port, secure });
  if (greeting.reason === undefined) return [fine('SMART_HOST', `The smart host ${host}:${port} answers.`)];
  const message = `The smart host ${host}:${port} does not answer: ${greeting.reason}.`;
  return [failure('SMART_HOST', message, 'Mend email.outgoing.smartHost, or ask its operator.')];
}

/** Many receivers refuse mail of an address whose names do not agree (RFC 1912 §2.1). */
async function directly({ config, resolver }: Parts): Promise<Finding[]> {
  const host = hostnameOf(config);
  const addresses = await addressesOf(resolver, host);
  const names = await Promise.all(addresses.map((address) => namesOfAddress(resolver, address)));
  const strange = addresses.filter((_, at) => !names[at]!.includes(host));
  if (strange.length === 0) return [fine('REVERSE_NAME', `The addresses of ${host} are called ${host}, too.`)];
  const message = `${strange.join(', ')} is not called ${host} (PTR): many receivers refuse mail from there.`;
  const fix = `Ask whoever gave you the address to set its reverse name to ${host}, or set email.outgoing.smartHost.`;
  return [warning('REVERSE_NAME', message, fix)];
}

function postmaster({ operator, domains }: EmailConfig): Finding {
  if (operator !== undefined) return fine('POSTMASTER', `${operator} reads the mail to postmaster@${domains[0]}.`);
  const message = `Nobody reads the mail to postmaster@${domains[0]} (RFC 5321 §4.5.1 asks for somebody).`;
  return warning('POSTMASTER', message, 'Set email.operator to the ENS name of whoever runs this.');
}

/** Says hello and goodbye. */
function greet(server: Pick<SMTPConnectionOptions, 'host' | 'port' | 'secure'> & { servername?: string }) {
  const connection = new SMTPConnection({
    ...server,
    opportunisticTLS: true,
    tls: { rejectUnauthorized: false },
    connectionTimeout: PATIENCE_MS,
    greetingTimeout: PATIENCE_MS,
    socketTimeout: PATIENCE_MS,
  });
  return new Promise<Greeting | Silence>((resolve) => {
    connection.on('error', ({ message }: Error) => resolve({ reason: message }));
    connection.connect((error) => {
      resolve(error ? { reason: error.message } : greetingOf(connection));
      connection.quit();
    });
  });
}

function greetingOf(connection: SMTPConnection & { readonly _socket?: unknown }): Greeting {
  if (!connection.secure) return { certificateEnds: null, distrust: null };
  const socket = connection._socket as TLSSocket; // the only way to the certificate
  const { authorized, authorizationError } = socket;
  const distrust = authorized ? null : String(authorizationError);
  return { certificateEnds: Date.parse(socket.getPeerCertificate().valid_to), distrust };
}

const isThisMachine = (address: string): boolean => address === '::1' || address.startsWith('127.');
