import type { EnsName, ForeignAddress } from '../common/ids.js';
import type { AliasSettings } from '../naming/alias/open-directory.js';
import { NameWithoutAddressError } from '../naming/alias/translator.js';
import { withTranslator } from './names.js';

/**
 * Somebody on another network, as an operator calls them: by address, or by their name.
 * @throws NameWithoutAddressError, InvalidForeignAddressError, InvalidNameError
 */
export async function foreignerCalled(
  text: string,
  settings: AliasSettings,
): Promise<{ address: ForeignAddress; name: EnsName }> {
  const { address, name } = await withTranslator(settings, (translator) => translator.translate(text));
  if (address) return { address, name };
  throw new NameWithoutAddressError({ name, reason: 'stands for nobody on another network.' });
}
