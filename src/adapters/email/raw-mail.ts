import { MailRefusedError } from './errors.js';

const LF = 0x0a;
const CR = 0x0d;
const MAX_HEADER_BYTES = 262_144;
const MAX_HOPS = 50;
const MAX_DEPTH = 50;

/** Header block and body; the body is empty where no blank line ends the header. */
export function splitMail(raw: Buffer): { header: Buffer; body: Buffer } {
  const ends = [
    { at: raw.indexOf('\r\n\r\n'), length: 4 },
    { at: raw.indexOf('\n\n'), length: 2 },
  ].filter(({ at }) => at >= 0);
  const end = ends.sort((a, b) => a.at - b.at)[0];
  return end
    ? { header: raw.subarray(0, end.at), body: raw.subarray(end.at + end.length) }
    : { header: raw, body: raw.subarray(raw.length) };
}

/**
 * Refuses what another mail server might read as the end of a mail (SMTP smuggling): any CR or LF that is not part of
 * CR LF (RFC 5321 §2.3.8).
 * @throws MailRefusedError MALFORMED_MAIL
 */
export function refuseBareLineEnds(raw: Buffer): void {
  for (let at = raw.indexOf(LF); at >= 0; at = raw.indexOf(LF, at + 1)) {
    if (raw[at - 1] !== CR) throw bareLineEnd();
  }
  for (let at = raw.indexOf(CR); at >= 0; at = raw.indexOf(CR, at + 1)) {
    if (raw[at + 1] !== LF) throw bareLineEnd();
  }
}

function bareLineEnd(): MailRefusedError {
  const reason = 'The mail holds a bare CR or LF; every line must end with CR LF.';
  return new MailRefusedError({ code: 'MALFORMED_MAIL', reason });
}

/** @throws MailRefusedError HEADER_TOO_LARGE, MALFORMED_MAIL */
export function refuseUnreasonable(raw: Buffer): void {
  if (splitMail(raw).header.length > MAX_HEADER_BYTES) {
    const reason = `The mail's header has more than ${MAX_HEADER_BYTES} bytes.`;
    throw new MailRefusedError({ code: 'HEADER_TOO_LARGE', reason });
  }
  if (nestingDepth(raw) > MAX_DEPTH) {
    const reason = `The mail's parts are nested deeper than ${MAX_DEPTH} levels.`;
    throw new MailRefusedError({ code: 'MALFORMED_MAIL', reason });
  }
}

/** @throws MailRefusedError MAIL_LOOP */
export function refuseLoops(
  header: Buffer,
  options: { isOwnMark: (value: string) => boolean; markHeader: string },
): void {
  const hops = headerValues(header, 'Received').length;
  if (hops > MAX_HOPS || headerValues(header, options.markHeader).some(options.isOwnMark)) {
    const reason = `The mail goes round in a circle (${hops} hops).`;
    throw new MailRefusedError({ code: 'MAIL_LOOP', reason });
  }
}

/** Values of every header field of that name, unfolded, not decoded. */
export function headerValues(header: Buffer, name: string): string[] {
  const fields = header
    .toString('latin1')
    .replace(/\r?\n(?=[ \t])/g, '')
    .split(/\r?\n/);
  const prefix = `${name.toLowerCase()}:`;
  return fields
    .filter((field) => field.toLowerCase().startsWith(prefix))
    .map((field) => field.slice(prefix.length).trim());
}

/** How deep multiparts are nested, at most; only the few mails that declare many boundaries are walked. */
function nestingDepth(raw: Buffer): number {
  const text = raw.toString('latin1');
  const declared = new Set(Array.from(text.matchAll(/\bboundary="?([^"\s;]{1,200})/gi), ([, boundary]) => boundary!));
  if (declared.size <= MAX_DEPTH) return declared.size;
  const open: string[] = [];
  let depth = 0;
  for (const [, line] of text.matchAll(/^--([^\s]{1,202})[ \t]*\r?$/gm)) {
    const boundary = declared.has(line!) ? line! : line!.replace(/--$/, '');
    if (!declared.has(boundary)) continue;
    const at = open.indexOf(boundary);
    if (at >= 0) open.length = at;
    if (boundary === line) depth = Math.max(depth, open.push(boundary));
  }
  return depth;
}
