import { GatewayError } from '../common/errors.js';
import type { EnsName, ForeignAddress } from '../common/ids.js';
import type { Settings } from '../config/settings.js';
import { AliasNames } from '../naming/alias/alias-names.js';
import { emailCodec } from '../naming/alias/email.js';
import { TopLevelAliases } from '../naming/alias/top-level.js';
import { normaliseName } from '../naming/ens-name.js';

/** What translates between foreign addresses and names. */
export interface Names {
  readonly aliases: AliasNames;
  readonly topLevel: TopLevelAliases;
}

/** The name cannot be translated back. */
class NoAddressError extends GatewayError {
  constructor({ name, reason }: { name: EnsName; reason: string }) {
    super({ code: 'NAME_WITHOUT_ADDRESS', kind: 'not-found', message: `${name} ${reason}` });
  }
}

export function namesBelow({ root, topLevelAliases }: Pick<Settings['names'], 'root' | 'topLevelAliases'>): Names {
  const aliases = new AliasNames({ rootName: normaliseName(root), codecs: [emailCodec] });
  return { aliases, topLevel: new TopLevelAliases(new Map(Object.entries(topLevelAliases))) };
}

/** What somebody typed is an address and no name. */
export const isAddress = (text: string): boolean => text.includes('@');

/** The canonical form of a typed mail address. @throws InvalidForeignAddressError */
export function addressOf(text: string, { aliases }: Names): ForeignAddress {
  return aliases.canonical((text.startsWith('mailto:') ? text : `mailto:${text}`) as ForeignAddress);
}

/** Whom an alias name stands for. @throws NoAddressError, AliasNameError, InvalidNameError */
export function addressNamed(text: string, { aliases, topLevel }: Names): ForeignAddress {
  const name: EnsName = topLevel.expand(normaliseName(text), (expanded) => aliases.accepts(expanded));
  const alias = aliases.parse(name);
  if (!alias)
    throw new NoAddressError({ name, reason: 'is an ordinary ENS name: it stands for nobody on another network.' });
  if (alias.kind === 'hashed') {
    const reason = 'is a shortened name: only the gateway that made it knows the address.';
    throw new NoAddressError({ name, reason });
  }
  return alias.address;
}

/** As people write it. */
export const shownAddress = (address: ForeignAddress): string => address.replace(/^mailto:/, '');
