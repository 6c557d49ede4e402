/** A link as a reader finds it in a message. */
export interface FoundLink {
  readonly name: string;
  readonly size: string;
  readonly until: string;
  readonly url: string;
  /** Of the ciphertext. */
  readonly dataUrl: string;
  readonly key: string;
}

const LINE =
  /^📎 (?<name>.+) \((?<size>[^,()]+), until (?<until>\d+ \w+ \d{4})\): (?<url>(?<place>http\S+)#(?<key>\S+))$/gmu;

export function linksIn(text: string): FoundLink[] {
  return [...text.matchAll(LINE)].map(({ groups }) => {
    const { name, size, until, url, place, key } = groups as Record<string, string>;
    return { name: name!, size: size!, until: until!, url: url!, dataUrl: `${place}/data`, key: key! };
  });
}
