import type { EnsName } from '../../common/ids.js';
import type { PublishedAliases } from './published-aliases.js';
import { TopLevelAliases } from './top-level.js';

/** Longer ones are not looked for: every ending of every name would be a question to the contract. */
const MAX_TOPLEVEL_LABELS = 3;
/** Aliases may lead to aliases; where they lead in a circle, nothing new comes up. */
const MAX_SPELLINGS = 16;

/** The top-level aliases that hold now: those of the settings, overridden by the contract. */
export class TopLevelDirectory {
  #current: TopLevelAliases;
  #version = -1;

  /** @param published null where no contract is configured */
  constructor(
    private readonly settings: ReadonlyMap<string, string>,
    private readonly published: PublishedAliases | null,
  ) {
    this.#current = new TopLevelAliases(settings);
  }

  /** False while the contract cannot be reached, and what was known last holds. */
  get isCurrent(): boolean {
    return this.published?.reachable ?? true;
  }

  /** Reads what the contract says, so that names are shown right from the beginning. */
  async start(): Promise<void> {
    await this.published?.learn([...this.settings.keys()]);
    this.#rebuild();
  }

  /** Every entry, and whether it comes from the contract; null of what it was not asked for yet. */
  get entries(): ReadonlyMap<string, { alias: string; published: boolean }> {
    const published = this.published?.entries ?? new Map<string, string>();
    const all = new Map([...this.settings, ...published]);
    return new Map([...all].map(([toplevel, alias]) => [toplevel, { alias, published: published.has(toplevel) }]));
  }

  /** The name written out, or the name itself; see `TopLevelAliases.expand`. */
  async expand(name: EnsName, accepts: (expanded: EnsName) => boolean): Promise<EnsName> {
    if (this.published) await this.#learn(this.published, name);
    this.#rebuild();
    return this.#current.expand(name, accepts);
  }

  /** For display; see `TopLevelAliases.shorten`. */
  shorten(name: EnsName): EnsName {
    return this.#current.shorten(name);
  }

  /** The endings of the name, and those of the names that it may stand for. */
  async #learn(published: PublishedAliases, name: EnsName): Promise<void> {
    const met = new Set<string>([name]);
    let spellings: readonly string[] = [name];
    while (spellings.length > 0 && met.size <= MAX_SPELLINGS) {
      await published.learn([...new Set(spellings.flatMap(endingsOf))]);
      spellings = spellings.flatMap((each) => this.#writtenOut(each)).filter((each) => !met.has(each));
      for (const each of spellings) met.add(each);
    }
  }

  #writtenOut(name: string): string[] {
    return endingsOf(name).flatMap((ending) => {
      const alias = this.published?.entries.get(ending) ?? this.settings.get(ending);
      return alias ? [name.slice(0, -ending.length) + alias] : [];
    });
  }

  #rebuild(): void {
    if (!this.published || this.published.version === this.#version) return;
    this.#version = this.published.version;
    this.#current = new TopLevelAliases(new Map([...this.settings, ...this.published.entries]));
  }
}

/** `a.b.c` -> `b.c`, `c` */
function endingsOf(name: string): string[] {
  const labels = name.split('.').slice(1).slice(-MAX_TOPLEVEL_LABELS);
  return labels.map((_, index) => labels.slice(index).join('.'));
}
