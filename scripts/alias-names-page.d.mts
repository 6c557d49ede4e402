import type { EnsName, ForeignAddress } from '../src/common/ids.js';

export function aliasNamesPage(names: {
  readonly readAddress: (text: string) => ForeignAddress | null;
  readonly nameOf: (address: ForeignAddress) => EnsName;
}): string;
