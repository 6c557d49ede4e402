import { Command, InvalidArgumentError } from 'commander';
import type { Environment } from '../config/env.js';
import type { SandboxFile } from '../sandbox/sandbox.js';
import { DEFAULT_SANDBOX_DIR, shown } from './paths.js';
import { untilStopped } from './until-stopped.js';

const DEFAULT_PORT_BASE = 8_460;

interface Options {
  readonly data: string;
  readonly portBase: number;
  readonly reset: boolean;
  readonly matrix: boolean;
}

/** `dm3-gateway sandbox`: everything on this machine, for trying out and for tests of other programs. */
export function sandboxCommand(env: Environment): Command {
  return new Command('sandbox')
    .description(
      'Run everything here: PostgreSQL, a local Ethereum chain with ENS, a mailbox that captures mail, the gateway.',
    )
    .option('--data <dir>', 'where it keeps its data between starts', DEFAULT_SANDBOX_DIR)
    .option('--port-base <n>', 'first of the six ports it takes on loopback', wholeNumber, DEFAULT_PORT_BASE)
    .option('--matrix', 'also a Matrix homeserver (Synapse, which needs Python), on a seventh port', false)
    .option('--reset', 'begin anew: removes the data first', false)
    .action((options: Options) => run(options, env));
}

async function run({ data, portBase, reset, matrix }: Options, env: Environment): Promise<void> {
  const began = Date.now();
  const stopped = untilStopped();
  const { startSandbox } = await import('../sandbox/sandbox.js'); // late: most commands need none of it
  const sandbox = await startSandbox({ dataDir: data, portBase, reset, matrix, env, say: (line) => console.log(line) });
  console.log(banner(sandbox.file, { seconds: (Date.now() - began) / 1_000, filePath: sandbox.filePath, data }));
  await stopped;
  console.log('Stopping...');
  await sandbox.stop();
  console.log('Stopped. The data is kept; "npm start" goes on from there.');
}

function banner(
  file: SandboxFile,
  { seconds, filePath, data }: { seconds: number; filePath: string; data: string },
): string {
  const { smtp, http, capturedMail, deliveryService, rpcUrl, admin } = file;
  const option = data === DEFAULT_SANDBOX_DIR ? '' : ` --data ${shown(data)}`;
  const element = matrixLines(file);
  const mail =
    String.raw`printf 'From: Carol <carol@example.org>\nTo: bob.eth@${smtp.domain}\nSubject: Hello\nMessage-ID: <'$(date +%%s)'@example.org>\n\nHi Bob, this is a mail to an ENS name.\n'`.replaceAll(
      '%%',
      '%',
    );
  return `
Ready after ${seconds.toFixed(1)} s.

  Mail in            smtp://${smtp.host}:${smtp.port}   for <ENS name>@${smtp.domain}
  Delivery service   ${deliveryService.url}   ${deliveryService.name}
  API, health        ${http.url}/docs   ${http.url}/health/ready   ${http.url}/metrics
  Captured mail      ${capturedMail.url}
  Ethereum (ENS)     ${rpcUrl}   with alice.eth and bob.eth
  Operator           ${admin.url}/admin/v1
  For programs       ${shown(filePath)}
${element}
Try it in another terminal.

1. Mail Bob, whose address is his ENS name:

   ${mail} | curl -s --crlf --url smtp://${smtp.host}:${smtp.port} --mail-from carol@example.org --mail-rcpt bob.eth@${smtp.domain} -T -

2. Read it as Bob, decrypted with his wallet's keys:

   ./bin/dm3-gateway inbox bob.eth${option}

3. Answer as Bob, and see the mail that leaves:

   ./bin/dm3-gateway send bob.eth carol@example.org 'Hi Carol, this is Bob.'${option}
   curl -s ${capturedMail.url}

Ctrl-C stops everything.
`;
}

function matrixLines({ matrix }: SandboxFile): string {
  if (!matrix) return '';
  const people = matrix.users.map(({ id, password }) => `${id} (${password})`).join(', ');
  return `  Matrix             ${matrix.homeserverUrl}   ${people}; invite @dm3_bob.eth:${matrix.serverName} to a chat, or
                     ${matrix.bot} into a room and write "!dm3 bridge bob.eth" there\n`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('expected a whole number.');
  return value;
}
