import type { Clock } from '../common/clock.js';
import type { EnsClient } from '../naming/ens-client.js';
import type { Check } from '../ops/doctor/check.js';
import { failure, fine, warning, type Finding } from '../ops/doctor/finding.js';
import { DELIVERY_SERVICE_RECORD } from '../protocol/profile/record.js';
import type { OwnService } from './own-service.js';
import { deliveryServiceRecord } from './service-records.js';

interface Parts {
  readonly own: OwnService;
  readonly ens: Pick<EnsClient, 'text'>;
  /** `http.publicUrl`. */
  readonly publicUrl: string;
  readonly clock: Clock;
}

interface Answer {
  readonly reason?: undefined;
  readonly status: number;
  /** When it says it is, milliseconds since the epoch; NaN if it does not. */
  readonly date: number;
}

const PATIENCE_MS = 10_000;
const MAX_SKEW_SECONDS = 60;

/** Whether the world finds the delivery service: by its URL, and by its name. */
export function serviceChecks(parts: Parts): Check[] {
  const { own, publicUrl } = parts;
  return [
    { subject: publicUrl, run: () => reachability(parts) },
    { subject: `delivery service ${own.name}`, run: async () => [await publishedRecord(parts)] },
  ];
}

async function reachability({ publicUrl, clock }: Parts): Promise<Finding[]> {
  const answer = await ask(`${publicUrl}/health/ready`);
  if (answer.reason !== undefined) {
    const message = `${publicUrl} cannot be reached from here: ${answer.reason}.`;
    return [
      failure('URL_UNREACHABLE', message, 'Start the gateway, and see that the proxy before it passes this URL on.'),
    ];
  }
  return [readiness(publicUrl, answer.status), ...encryption(publicUrl), ...clockSkew(answer.date, clock)];
}

function readiness(publicUrl: string, status: number): Finding {
  if (status === 200) return fine('URL', `${publicUrl} answers, and all that it needs works.`);
  if (status === 503) {
    const message = `${publicUrl} answers, but something that it needs does not work.`;
    return failure('NOT_READY', message, `See what: curl ${publicUrl}/health/ready`);
  }
  const message = `${publicUrl}/health/ready answers ${status}: that is not this gateway.`;
  return failure('URL_FOREIGN', message, 'Let the proxy pass the whole URL on, or mend http.publicUrl.');
}

function encryption(publicUrl: string): Finding[] {
  const { protocol, hostname } = new URL(publicUrl);
  if (protocol === 'https:' || hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]') return [];
  const message = `${publicUrl} is not encrypted: clients in a browser refuse it, and logins can be overheard.`;
  return [warning('URL_PLAIN', message, 'Put a proxy with TLS in front and set http.publicUrl to its https URL.')];
}

function clockSkew(date: number, clock: Clock): Finding[] {
  const seconds = Math.round(Math.abs(date - clock.now()) / 1_000);
  if (Number.isNaN(date) || seconds <= MAX_SKEW_SECONDS) return [];
  const message = `The clocks of the service and of this machine are ${seconds} s apart: signed answers expire too early or too late.`;
  return [warning('CLOCK', message, 'Let both keep their clocks with NTP.')];
}

/** Through ENS as every client does it, so that a record of ours is proved to come through resolver and CCIP-read. */
async function publishedRecord({ own, ens }: Parts): Promise<Finding> {
  const published = await ens.text(own.name, DELIVERY_SERVICE_RECORD);
  const record = deliveryServiceRecord(own);
  if (published === record) return fine('SERVICE_RECORD', `ENS clients find our keys and URL under ${own.name}.`);
  const found = published === null ? 'has no such record' : 'shows other keys or another URL';
  return failure(
    'SERVICE_RECORD',
    `${own.name} ${found} (${DELIVERY_SERVICE_RECORD}): nobody can send to this delivery service.`,
    `Set the text record ${DELIVERY_SERVICE_RECORD} of ${own.name} to: ${record}`,
  );
}

async function ask(url: string): Promise<Answer | { readonly reason: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS), redirect: 'manual' });
    await response.body?.cancel();
    return { status: response.status, date: Date.parse(response.headers.get('date') ?? '') };
  } catch (error) {
    return { reason: reasonOf(error as Error) };
  }
}

/** `fetch failed` tells nothing; its cause does. */
function reasonOf(error: Error): string {
  const cause = error.cause as { code?: string; message?: string } | undefined;
  return cause?.code ?? cause?.message ?? error.message;
}
