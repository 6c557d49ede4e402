import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import type { Environment } from '../config/env.js';
import { configFile, loadConfig } from './start.command.js';

interface Options {
  readonly storage?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly config?: string;
}

/** `dm3-gateway keys rotate`: new dm3 keys for ghosts, or a new storage key. */
export function rotateCommand(env: Environment): Command {
  return new Command('rotate')
    .description('Give new dm3 keys to everybody on other networks, or to one of them, or change the storage key.')
    .argument('[address-or-name]', 'carol@example.org, or carol._at.example.org.email.<root>')
    .option('--storage', 'change the storage key, and seal the database anew with it')
    .option('--dry-run', 'only say what would be done')
    .option('--yes', 'do not ask')
    .option('--config <file>', 'configuration file')
    .action(async (text: string | undefined, _: Options, command: Command) => {
      const options = command.optsWithGlobals<Options>(); // what `keys` knows too, it takes for itself
      if (options.storage && text !== undefined)
        command.error('error: --storage changes the one key of all: name nobody.');
      if (!options.yes && !options.dryRun && !process.stdin.isTTY)
        command.error('error: nobody is here to be asked: repeat it with --yes.');
      await rotate(text, options, env);
    });
}

async function rotate(text: string | undefined, options: Options, env: Environment): Promise<void> {
  const { withDatabaseLock } = await import('./database-session.js'); // late: most commands need none of it
  const { rotateGhostKeys } = await import('./ghost-rotation.js');
  const { rotateStorageKeys } = await import('./storage-rotation.js');
  const { settings } = loadConfig(options.config ?? configFile(env), env);
  const agree = options.yes ? said : ask;
  const rotation = { settings, env, dryRun: options.dryRun ?? false, agree, say: console.log };
  await withDatabaseLock(settings.database, 'rotate keys', (db) =>
    options.storage ? rotateStorageKeys({ ...rotation, db }) : rotateGhostKeys({ ...rotation, db }, text),
  );
}

async function said(plan: string): Promise<boolean> {
  console.log(plan);
  return true;
}

async function ask(plan: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${plan}\nGo on? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
