/** Every notice begins with it, so that people and filters know it. */
export const NOTICE_PREFIX = '[dm3-gateway]';

interface About {
  /** As people write it on the foreign network. */
  readonly receiver: string;
  /** The alias name. */
  readonly name: string;
  /** A sentence. */
  readonly reason: string;
  readonly status: 'failed' | 'delayed';
}

export function noticeText({ receiver, name, reason, status }: About): string {
  const outcome = status === 'failed' ? 'was not delivered' : 'has not been delivered yet';
  return `${NOTICE_PREFIX} Your message to ${receiver} (${name}) ${outcome}.\n\n${reason}`;
}

export function delayText(until: Date): string {
  const end = `${until.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return `We go on trying until ${end}; you need not send it again. If it fails for good, you are told.`;
}
