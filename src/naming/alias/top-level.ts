import type { EnsName } from '../../common/ids.js';
import { tryNormaliseName } from '../ens-name.js';

interface TopLevelAlias {
  readonly toplevel: EnsName;
  readonly alias: EnsName;
}

/**
 * The top-level alias table: `label.<toplevel>` is a short way to write `label.<alias>` (dm3 MTP: top-level alias).
 * Top levels may have several labels.
 */
export class TopLevelAliases {
  readonly #longestToplevelFirst: readonly TopLevelAlias[];
  readonly #longestAliasFirst: readonly TopLevelAlias[];

  /** @param entries top level -> alias, as the contract holds them; what is not a pair of names is left out. */
  constructor(entries: ReadonlyMap<string, string>) {
    const pairs = [...entries].flatMap(([key, value]) => {
      const [toplevel, alias] = [tryNormaliseName(key), tryNormaliseName(value)];
      return toplevel && alias ? [{ toplevel, alias }] : [];
    });
    this.#longestToplevelFirst = pairs.toSorted((a, b) => b.toplevel.length - a.toplevel.length);
    this.#longestAliasFirst = pairs.toSorted(
      (a, b) => b.alias.length - a.alias.length || a.toplevel.length - b.toplevel.length,
    );
  }

  /**
   * The name written out, or the name itself: top levels may be real ones too (`.email` is), so what `accepts` does
   * not recognise stays as it is. An alias may end in another top level; each is followed once.
   */
  expand(name: EnsName, accepts: (expanded: EnsName) => boolean): EnsName {
    return this.#follow(name, accepts, this.#longestToplevelFirst) ?? name;
  }

  /** For display: a shorter way to write the name, which `expand` takes back to it, or the name itself. */
  shorten(name: EnsName): EnsName {
    for (const { toplevel, alias } of this.#longestAliasFirst) {
      const short = swapEnding(name, alias, toplevel);
      if (short && short.length < name.length && this.expand(short, (full) => full === name) === name) {
        return short;
      }
    }
    return name;
  }

  #follow(name: EnsName, accepts: (expanded: EnsName) => boolean, unused: readonly TopLevelAlias[]): EnsName | null {
    for (const entry of unused) {
      const expanded = swapEnding(name, entry.toplevel, entry.alias);
      if (!expanded) continue;
      const further = this.#follow(
        expanded,
        accepts,
        unused.filter((other) => other !== entry),
      );
      const end = further ?? (accepts(expanded) ? expanded : null);
      if (end) return end;
    }
    return null;
  }
}

/** Null if the name does not end so, is nothing but the ending, or would become too long. */
function swapEnding(name: EnsName, ending: EnsName, replacement: EnsName): EnsName | null {
  return name.endsWith(`.${ending}`) ? tryNormaliseName(name.slice(0, -ending.length) + replacement) : null;
}
