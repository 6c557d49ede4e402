import { Command, InvalidArgumentError } from 'commander';
import { parseEthAddress, type EthAddress } from '../common/ids.js';
import { coreSettings } from '../config/settings.js';

/** `dm3-gateway contracts`: what a wallet needs to deploy our contracts. It asks nobody and sends nothing. */
export function contractsCommand(): Command {
  return new Command('contracts')
    .usage('[options] [command]')
    .description('Print the data of the transactions, ones without a receiver, that deploy our contracts.')
    .addCommand(resolverCommand())
    .addCommand(aliasRegistryCommand());
}

function resolverCommand(): Command {
  return new Command('resolver')
    .description('The wildcard resolver of the root name; whoever sends the transaction owns it.')
    .requiredOption('--url <url...>', 'how the world reaches the gateway (http.publicUrl)', addUrl)
    .requiredOption('--signer <address...>', 'whose answers count ("dm3-gateway keys" shows them)', addAddress)
    .action(async ({ url, signer }: { url: string[]; signer: EthAddress[] }) => {
      const { ccipUrl } = await import('../naming/ccip-read/resolver-check.js'); // late: most commands need none of it
      const { resolverCreationCode } = await import('../naming/contracts/creation-code.js');
      console.log(resolverCreationCode({ urls: url.map(ccipUrl), signers: signer }));
    });
}

function aliasRegistryCommand(): Command {
  return new Command('alias-registry')
    .description('A registry of top-level aliases.')
    .requiredOption('--owner <address>', 'who may set aliases', address)
    .action(async ({ owner }: { owner: EthAddress }) => {
      const { aliasRegistryCreationCode } = await import('../naming/contracts/creation-code.js');
      console.log(aliasRegistryCreationCode(owner));
    });
}

function addUrl(text: string, before: readonly string[] = []): string[] {
  const { success, data } = coreSettings.http.shape.publicUrl.safeParse(text);
  if (!success) throw new InvalidArgumentError('expected a URL such as https://gateway.example.org.');
  return [...before, data];
}

const addAddress = (text: string, before: readonly EthAddress[] = []): EthAddress[] => [...before, address(text)];

function address(text: string): EthAddress {
  const parsed = parseEthAddress(text);
  if (parsed === null) throw new InvalidArgumentError('expected an Ethereum address (0x and 40 hex digits).');
  return parsed;
}
