/** A text, or the bytes of a key or file. */
export type Secret = string | Uint8Array;

/**
 * Names of the secrets that stand in a text in whatever form: as they are, in hex, in base64 (broken into lines or not)
 * or in UTF-16; letter case aside.
 */
export function secretsIn(text: string | Uint8Array, secrets: ReadonlyMap<string, Secret>): string[] {
  const haystack = Buffer.from(text as string)
    .toString('latin1')
    .toLowerCase();
  const unbroken = haystack.replace(/\\r|\\n|\s/g, '');
  return [...secrets]
    .filter(([, secret]) => formsOf(secret).some((form) => haystack.includes(form) || unbroken.includes(form)))
    .map(([what]) => what);
}

/** The same for very many bytes, in one pass over them; base64 that is broken into lines is not looked for. */
export class SecretSearch {
  /** By their first four octets. */
  readonly #forms = new Map<number, { readonly form: Buffer; readonly what: string }[]>();
  /** Whether any begins like that, by a hash of those four: most places are passed over by it. */
  readonly #mayBegin = new Uint8Array(1 << 16);

  constructor(secrets: ReadonlyMap<string, Secret>) {
    for (const [what, secret] of secrets) {
      for (const text of new Set(formsOf(secret))) this.#add(what, Buffer.from(text, 'latin1'));
    }
  }

  /** Names of the secrets found. */
  in(bytes: Uint8Array): Set<string> {
    const found = new Set<string>();
    let last4 = 0;
    for (let end = 0; end < bytes.length; end += 1) {
      last4 = ((last4 << 8) | lowerCase(bytes[end]!)) >>> 0;
      if (this.#mayBegin[hash(last4)] === 0) continue;
      for (const { form, what } of this.#forms.get(last4) ?? []) {
        if (begins(bytes, end - 3, form)) found.add(what);
      }
    }
    return found;
  }

  #add(what: string, form: Buffer): void {
    const first4 = form.readUInt32BE(0);
    this.#mayBegin[hash(first4)] = 1;
    this.#forms.set(first4, [...(this.#forms.get(first4) ?? []), { form, what }]);
  }
}

const hash = (first4: number) => Math.imul(first4, 2_654_435_761) >>> 16;

/** As `toLowerCase` does it with latin1. */
const LOWER = Buffer.from(
  Buffer.from(Array.from({ length: 256 }, (_, octet) => octet))
    .toString('latin1')
    .toLowerCase(),
  'latin1',
);
const lowerCase = (octet: number) => LOWER[octet]!;

function begins(bytes: Uint8Array, start: number, form: Uint8Array): boolean {
  return form.every((octet, index) => lowerCase(bytes[start + index] ?? 0) === octet);
}

/** All in lower case. */
function formsOf(secret: Secret): string[] {
  const bytes = Buffer.from(secret as string);
  const base64 = [0, 1, 2].map((offset) => base64After(bytes, offset));
  const urlSafe = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const wide = typeof secret === 'string' ? wideForms(secret) : [];
  return [bytes.toString('latin1'), bytes.toString('hex'), ...base64, ...urlSafe, ...wide].map((form) =>
    form.toLowerCase(),
  );
}

function wideForms(text: string): string[] {
  const littleEndian = Buffer.from(text, 'utf16le');
  return [littleEndian.toString('latin1'), Buffer.from(littleEndian).swap16().toString('latin1')];
}

/** The digits of base64 that depend on these bytes alone, when so many others stand before them. */
function base64After(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const last = (offset + bytes.length) % 3 === 0 ? text.length : text.length - 1;
  return text.slice(Math.ceil((offset * 8) / 6), last);
}
