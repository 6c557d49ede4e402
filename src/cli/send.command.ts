import { Command } from 'commander';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { Dm3Client } from './dm3-client.js';
import { namesOfSandbox, withTranslator } from './names.js';
import { DEFAULT_SANDBOX_DIR } from './paths.js';
import { readSandboxFile } from './sandbox-file.js';

interface Options {
  readonly data: string;
  readonly reply?: string;
}

/** `dm3-gateway send`: writes as somebody of the sandbox. */
export function sendCommand(): Command {
  return new Command('send')
    .description('Send a dm3 message as somebody of the sandbox: to an ENS name or to a mail address.')
    .argument('<from>', 'alice.eth or bob.eth')
    .argument('<to>', 'an ENS name, or a mail address such as carol@example.org')
    .argument('<text>', 'what to say (Markdown)')
    .option('--reply <hash>', 'the message it answers, by the hash that "inbox" shows')
    .option('--data <dir>', 'data directory of the sandbox', DEFAULT_SANDBOX_DIR)
    .action(run);
}

async function run(from: string, to: string, text: string, { data, reply }: Options): Promise<void> {
  const sandbox = readSandboxFile(data);
  const client = new Dm3Client(await createSodiumProvider(), sandbox, from);
  try {
    const receiver = await withTranslator(namesOfSandbox(sandbox), (translator) => translator.nameOf(to));
    const hash = await client.send(receiver, text, reply);
    console.log(`Accepted: ${hash}`);
  } finally {
    client.close();
  }
}
