/** Every notice begins with it, so that people and filters know it. */
export const NOTICE_PREFIX = '[dm3-gateway]';

/** @param receiver as people write it on the foreign network @param name the alias name @param reason a sentence */
export function noticeText({ receiver, name, reason }: { receiver: string; name: string; reason: string }): string {
  return `${NOTICE_PREFIX} Your message to ${receiver} (${name}) was not delivered.\n\n${reason}`;
}
