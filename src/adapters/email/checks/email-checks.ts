import type { Clock } from '../../../common/clock.js';
import type { Check } from '../../../ops/doctor/check.js';
import type { EmailConfig } from '../config.js';
import type { DnsResolver } from '../dns.js';
import { domainChecks } from './domain-checks.js';
import { serverChecks } from './server-checks.js';

/** Everything the doctor looks at for mail. @param parts.fetchText gets a text over https, null if it is not there */
export function emailChecks(parts: {
  readonly config: EmailConfig;
  readonly resolver: DnsResolver;
  readonly clock: Clock;
  readonly fetchText: (url: string) => Promise<string | null>;
}): Check[] {
  return [...domainChecks(parts), ...serverChecks(parts)];
}
