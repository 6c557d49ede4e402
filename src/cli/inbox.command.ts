import { Command } from 'commander';
import { createSodiumProvider } from '../protocol/crypto/sodium.js';
import { attachmentsOf } from '../protocol/envelope/message.js';
import { Dm3Client, type ReceivedMessage } from './dm3-client.js';
import { DEFAULT_SANDBOX_DIR } from './paths.js';
import { readSandboxFile } from './sandbox-file.js';
import { size } from './words.js';

interface Options {
  readonly data: string;
  readonly ack: boolean;
  readonly json: boolean;
}

/** `dm3-gateway inbox`: what waits for somebody in the sandbox. */
export function inboxCommand(): Command {
  return new Command('inbox')
    .description('Show what waits for an ENS name of the sandbox, decrypted and verified.')
    .argument('<name>', 'alice.eth or bob.eth')
    .option('--ack', 'acknowledge what is shown: it is not shown again', false)
    .option('--json', 'one JSON array, for programs', false)
    .option('--data <dir>', 'data directory of the sandbox', DEFAULT_SANDBOX_DIR)
    .action(run);
}

async function run(name: string, { data, ack, json }: Options): Promise<void> {
  const client = new Dm3Client(await createSodiumProvider(), readSandboxFile(data), name);
  try {
    const messages = await client.inbox();
    console.log(
      json ? JSON.stringify(messages, null, 2) : messages.map(show).join('\n') || `Nothing waits for ${name}.`,
    );
    if (ack && messages.length > 0) await client.acknowledge(messages);
  } finally {
    client.close();
  }
}

function show({ message, arrivedAt, verified, hash }: ReceivedMessage): string {
  const { from, type, referenceMessageHash } = message.metadata;
  const files = attachmentsOf(message).map(
    ({ name, data }) => `  [attachment: ${name ?? 'without a name'}, ${size(data.length)}]`,
  );
  return [
    `${new Date(arrivedAt).toLocaleString()}  ${type}  from ${from}  ${verified ? '(signature verified)' : '(NOT VERIFIED)'}`,
    `  ${hash}${referenceMessageHash ? `  answers ${referenceMessageHash}` : ''}`,
    ...(message.message ?? '').split('\n').map((line) => `  ${line}`),
    ...files,
    '',
  ].join('\n');
}
