import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import { readEnvironment } from '../config/env.js';
import { aliasCommand } from './alias.command.js';
import { contractsCommand } from './contracts.command.js';
import { doctorCommand } from './doctor/doctor.command.js';
import { healthCommand } from './health.command.js';
import { inboxCommand } from './inbox.command.js';
import { initCommand } from './init.command.js';
import { keysCommand } from './keys.command.js';
import { linkCommand } from './link.command.js';
import { matrixCommand } from './matrix.command.js';
import { nameCommand } from './name.command.js';
import { queueCommand } from './queue.command.js';
import { sandboxCommand } from './sandbox.command.js';
import { sendCommand } from './send.command.js';
import { setupCommand } from './setup.command.js';
import { startCommand } from './start.command.js';
import { tokenCommand } from './token.command.js';
import { traceCommand } from './trace.command.js';

const env = readEnvironment();

const program = new Command('dm3-gateway')
  .description('Email, Matrix and XMTP for dm3: a gateway and delivery service whose address book is ENS.')
  .showHelpAfterError('(--help shows what there is)')
  .addCommand(sandboxCommand(env))
  .addCommand(startCommand(env))
  .addCommand(initCommand())
  .addCommand(setupCommand(env))
  .addCommand(doctorCommand(env))
  .addCommand(traceCommand(env))
  .addCommand(queueCommand(env))
  .addCommand(tokenCommand(env))
  .addCommand(healthCommand(env))
  .addCommand(matrixCommand(env))
  .addCommand(nameCommand(env))
  .addCommand(aliasCommand(env))
  .addCommand(keysCommand(env))
  .addCommand(contractsCommand())
  .addCommand(inboxCommand())
  .addCommand(sendCommand())
  .addCommand(linkCommand());
for (const command of program.commands) {
  for (const each of [command, ...command.commands]) each.copyInheritedSettings(program);
}

try {
  await program.parseAsync();
} catch (error) {
  console.error(error instanceof GatewayError ? error.message : error);
  process.exitCode = 1;
}
