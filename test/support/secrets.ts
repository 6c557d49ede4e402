/** A text, or the bytes of a key or file. */
export type Secret = string | Uint8Array;

/** Names of the secrets that stand in a text in whatever form: as they are, in hex, in base64; letter case aside. */
export function secretsIn(text: string | Uint8Array, secrets: ReadonlyMap<string, Secret>): string[] {
  const haystack = (typeof text === 'string' ? Buffer.from(text) : Buffer.from(text)).toString('latin1').toLowerCase();
  return [...secrets]
    .filter(([, secret]) => formsOf(secret).some((form) => haystack.includes(form)))
    .map(([what]) => what);
}

function formsOf(secret: Secret): string[] {
  const bytes = Buffer.from(secret as string);
  const base64 = [0, 1, 2].map((offset) => base64After(bytes, offset));
  const urlSafe = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [bytes.toString('latin1'), bytes.toString('hex'), ...base64, ...urlSafe].map((form) => form.toLowerCase());
}

/** The digits of base64 that depend on these bytes alone, when so many others stand before them. */
function base64After(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const last = (offset + bytes.length) % 3 === 0 ? text.length : text.length - 1;
  return text.slice(Math.ceil((offset * 8) / 6), last);
}
