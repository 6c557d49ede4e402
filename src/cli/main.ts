import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import { readEnvironment } from '../config/env.js';
import { inboxCommand } from './inbox.command.js';
import { initCommand } from './init.command.js';
import { keysCommand } from './keys.command.js';
import { nameCommand } from './name.command.js';
import { sandboxCommand } from './sandbox.command.js';
import { sendCommand } from './send.command.js';
import { startCommand } from './start.command.js';

const env = readEnvironment();

const program = new Command('dm3-gateway')
  .description('Email, Matrix and XMTP for dm3: a gateway and delivery service whose address book is ENS.')
  .showHelpAfterError('(--help shows what there is)')
  .addCommand(sandboxCommand(env))
  .addCommand(startCommand(env))
  .addCommand(initCommand())
  .addCommand(nameCommand(env))
  .addCommand(keysCommand(env))
  .addCommand(inboxCommand())
  .addCommand(sendCommand());
for (const command of program.commands) command.copyInheritedSettings(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof GatewayError ? error.message : error);
  process.exitCode = 1;
}
