import { Command, Option } from 'commander';
import { signPersonalMessage } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { signText } from '../protocol/crypto/signature.js';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { fromHex } from '../protocol/encoding/hex.js';
import type { ProfileLink } from '../protocol/profile/profile-link.js';
import type { Person } from '../sandbox/people.js';
import type { SandboxFile } from '../sandbox/sandbox.js';
import { callService, sandboxPerson } from './dm3-client.js';
import { DEFAULT_SANDBOX_DIR, shown } from './paths.js';
import { readSandboxFile } from './sandbox-file.js';
import { moment } from './words.js';

interface Data {
  readonly data: string;
}

/** As `/resolver/links` shows a link. */
interface ShownLink {
  readonly address: string;
  readonly name: string;
  readonly profileLink: ProfileLink;
  readonly removalText: string;
}

const NAME = ['<name>', 'alice.eth or bob.eth'] as const;
const ADDRESS = ['<address>', 'a mail address such as carol@example.org'] as const;

/** `dm3-gateway link`: links somebody of the sandbox with a mail address. */
export function linkCommand(): Command {
  return new Command('link')
    .description('Prove that a mail address and a dm3 name are the same person (in the sandbox).')
    .addCommand(addCommand())
    .addCommand(confirmCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand());
}

function addCommand(): Command {
  return sandboxCommand('add', 'Sign a link, and have a code mailed to the address.')
    .argument(...NAME)
    .argument(...ADDRESS)
    .addOption(new Option('--with <key>', 'what signs').choices(['wallet', 'profile']).default('wallet'))
    .action(async (name: string, address: string, options: Data & { readonly with: string }) => {
      const { sandbox, crypto, person } = await actor(options, name);
      const type = options.with === 'wallet' ? 'EthAddressLink' : 'ProfileLink';
      const begun = (await call(sandbox, '', { name: person.name, address, type })) as { id: string; text: string };
      const { id, text } = begun;
      await call(sandbox, '/signature', { id, signature: sign(crypto, person, type, text) });
      console.log(`Signed:\n\n${text.replace(/^/gm, '  ')}\n`);
      console.log(`A code is in the mail to ${address}; read it with\n\n  curl -s ${sandbox.capturedMail.url}\n`);
      const option = options.data === DEFAULT_SANDBOX_DIR ? '' : ` --data ${shown(options.data)}`;
      console.log(`and type it in with\n\n  ./bin/dm3-gateway link confirm ${id} <code>${option}`);
    });
}

function confirmCommand(): Command {
  return sandboxCommand('confirm', 'Type in the code; from then on everybody can see the link.')
    .argument('<id>', 'as "link add" said')
    .argument('<code>', 'from the mail')
    .action(async (id: string, code: string, { data }: Data) => {
      console.log(inWords((await call(readSandboxFile(data), '/code', { id, code })) as ShownLink));
    });
}

function listCommand(): Command {
  return sandboxCommand('list', 'Show the links of a dm3 name or of an address.')
    .argument('<name-or-address>', 'alice.eth, carol@example.org')
    .action(async (text: string, { data }: Data) => {
      const links = await linksOf(readSandboxFile(data), text);
      console.log(links.length === 0 ? `${text} is not linked.` : links.map(inWords).join('\n'));
    });
}

function removeCommand(): Command {
  return sandboxCommand('remove', 'Take a link back, signed by the wallet of the dm3 name.')
    .argument(...NAME)
    .argument(...ADDRESS)
    .action(async (name: string, address: string, options: Data) => {
      const { sandbox, crypto, person } = await actor(options, name);
      const [link] = await linksOf(sandbox, address);
      const signature = sign(crypto, person, 'EthAddressLink', link?.removalText ?? '');
      await call(sandbox, '/removal', { address, signature });
      console.log(`${address} is not linked any more.`);
    });
}

function sandboxCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--data <dir>', 'data directory of the sandbox', DEFAULT_SANDBOX_DIR);
}

/** @throws SandboxNotRunningError, ClientError */
async function actor(
  { data }: Data,
  name: string,
): Promise<{ sandbox: SandboxFile; crypto: CryptoProvider; person: Person }> {
  const sandbox = readSandboxFile(data);
  const crypto = await createSodiumProvider();
  return { sandbox, crypto, person: sandboxPerson(crypto, sandbox, name) };
}

function sign(crypto: CryptoProvider, person: Person, type: ProfileLink['type'], text: string): string {
  return type === 'EthAddressLink'
    ? signPersonalMessage(crypto, fromHex(person.walletPrivateKey), text)
    : signText(crypto, person.keys.signing.privateKey, text);
}

async function linksOf(sandbox: SandboxFile, text: string): Promise<readonly ShownLink[]> {
  const { links } = (await call(sandbox, `/${encodeURIComponent(text)}`)) as { links: readonly ShownLink[] };
  return links;
}

function call({ http }: SandboxFile, path: string, json?: unknown): Promise<unknown> {
  return callService(`${http.url}/resolver/links${path}`, { json });
}

function inWords({ address, name, profileLink }: ShownLink): string {
  return `${address} is ${name}, until ${moment(profileLink.expirationTime! * 1_000)}`;
}
