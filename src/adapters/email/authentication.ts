import type { AuthenticateResult, DNSResolver } from 'mailauth';
import type { SenderIdentity } from '../../gateway/adapter/adapter.js';
import { asciiDomain } from './address.js';
import type { DnsResolver } from './dns.js';
import { within } from './time-limit.js';

export interface Authentication {
  readonly identity: SenderIdentity;
  /** DMARC says that the author's domain did not send it, whatever its policy asks for. */
  readonly dmarcFailed: boolean;
  /** A report sent to the envelope sender reaches whoever sent the mail, as far as can be told. */
  readonly bounceable: boolean;
}

export interface MailToCheck {
  readonly raw: Buffer;
  /** The mailbox in From that we name as author. */
  readonly author: string;
  readonly envelopeFrom: string;
  readonly clientIp: string;
  readonly helo: string;
}

export interface AuthenticationOptions {
  readonly resolver: DnsResolver;
  readonly hostname: string;
  /** Milliseconds for all look-ups together. */
  readonly timeoutMs: number;
}

const NOT_CHECKED: Authentication = {
  identity: { verdict: 'unverified', detail: 'SPF, DKIM and DMARC could not be checked' },
  dmarcFailed: false,
  bounceable: false,
};

/** SPF, DKIM and DMARC of a mail in one verdict. Never throws: what cannot be checked is unverified. */
export async function checkAuthentication(mail: MailToCheck, options: AuthenticationOptions): Promise<Authentication> {
  try {
    return judge(await within(options.timeoutMs, runChecks(mail, options)), mail);
  } catch {
    return NOT_CHECKED;
  }
}

async function runChecks(
  mail: MailToCheck,
  { resolver, hostname }: AuthenticationOptions,
): Promise<AuthenticateResult> {
  const { authenticate } = await import('mailauth'); // heavy: not before there is mail
  return authenticate(mail.raw, {
    sender: mail.envelopeFrom,
    ip: mail.clientIp,
    helo: mail.helo,
    mta: hostname,
    resolver: resolver as DNSResolver,
    disableArc: true,
    disableBimi: true,
  });
}

function judge(result: AuthenticateResult, mail: MailToCheck): Authentication {
  const dmarc = result.dmarc ? result.dmarc.status.result : 'none';
  const checks = [`SPF ${inWords(spfOf(result))}`, `DKIM ${inWords(dkimOf(result))}`, `DMARC ${inWords(dmarc)}`];
  const identity = { verdict: verdictOf(result, dmarc, mail.author), detail: checks.join(', ') };
  return { identity, dmarcFailed: dmarc === 'fail', bounceable: isBounceable(result, mail) };
}

/** A forged envelope sender must not be mailed: he is a bystander (RFC 3834 §2). */
function isBounceable(result: AuthenticateResult, { author, envelopeFrom }: MailToCheck): boolean {
  const spf = spfOf(result);
  if (spf === 'pass') return true;
  return ['none', 'neutral'].includes(spf) && asciiDomain(envelopeFrom) === asciiDomain(author);
}

function verdictOf(result: AuthenticateResult, dmarc: string, author: string): SenderIdentity['verdict'] {
  const domain = asciiDomain(author);
  // Two parsers read From, and a mail may show each a different author.
  const checked = result.dkim.headerFrom.map(asciiDomain);
  if (domain === null || !result.dmarc || checked.some((other) => other !== domain)) return 'unverified';
  if (dmarc === 'fail') return result.dmarc.policy === 'none' ? 'unverified' : 'forged';
  if (dmarc === 'pass') return 'verified';
  return dmarc === 'none' && (isSignedBy(result) || isSentBy(result, domain)) ? 'verified' : 'unverified';
}

/** Without a DMARC record a signature of the author's organisation over the whole body will do. */
function isSignedBy(result: AuthenticateResult): boolean {
  return result.dkim.results.some(({ status }) => status.result === 'pass' && status.aligned && !status.underSized);
}

/** Without a DMARC record nobody loosens the alignment, so the domains must be the same. */
function isSentBy(result: AuthenticateResult, domain: string): boolean {
  return spfOf(result) === 'pass' && result.spf !== false && result.spf.domain.toLowerCase() === domain;
}

function spfOf(result: AuthenticateResult): string {
  return result.spf ? result.spf.status.result : 'none';
}

function dkimOf(result: AuthenticateResult): string {
  const results = result.dkim.results.map(({ status }) => status.result);
  return results.find((each) => each === 'pass') ?? results[0] ?? 'none';
}

function inWords(result: string): string {
  return result.startsWith('temperr') ? 'could not be checked' : result;
}
