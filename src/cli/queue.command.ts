import { Command } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { MessageId } from '../common/ids.js';
import type { Environment } from '../config/env.js';
import type { AdminService, LaneView, QueueView } from '../gateway/admin/admin.service.js';
import type { DeadLetter } from '../outbox/outbox.js';
import { asOperator } from './operator.js';
import { second, table } from './words.js';

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

/** A command named something that is not there. */
class NothingThereError extends GatewayError {
  constructor(message: string) {
    super({ code: 'NOTHING_THERE', kind: 'not-found', message });
  }
}

/** `dm3-gateway queue`: what waits and why, and what an operator can do about it. */
export function queueCommand(env: Environment): Command {
  const command = new Command('queue')
    .description('Show what waits for delivery, and look after it.')
    .option('--config <file>', 'configuration file')
    .option('--json', 'as JSON')
    .action(async (options: Options) => {
      const view = await asOperator(env, options, ({ admin }) => admin.queue());
      console.log(options.json ? JSON.stringify(view, null, 2) : overview(view));
    });
  const on = (name: string, description: string) =>
    command.command(name).description(description).option('--config <file>', 'configuration file');
  deadLetters(on, env);
  pauses(on, env);
  return command;
}

type On = (name: string, description: string) => Command;

function deadLetters(on: On, env: Environment): void {
  on('dead', 'List what failed for good, newest first.')
    .option('--json', 'as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const letters = await asOperator(env, options, ({ admin }) => admin.deadLetters());
      console.log(options.json ? JSON.stringify(letters, null, 2) : list(letters));
    });
  const each = (
    name: string,
    description: string,
    done: string,
    act: (admin: AdminService, id: MessageId) => Promise<boolean>,
  ) =>
    on(name, description)
      .argument('<id>', 'as "queue dead" lists it')
      .action(async (id: string, _: unknown, command: Command) => {
        const found = await asOperator(env, command.optsWithGlobals<Options>(), ({ admin }) => act(admin, asId(id)));
        if (!found)
          throw new NothingThereError('There is no dead letter of this id; "dm3-gateway queue dead" lists them.');
        console.log(done);
      });
  each('retry', 'Put a dead letter back at its old place, due now.', 'It is in the queue again.', (admin, id) =>
    admin.retry(id),
  );
  each('discard', 'Give a dead letter up and erase its content.', 'Its content is erased.', (admin, id) =>
    admin.discard(id),
  );
}

function pauses(on: On, env: Environment): void {
  const lane = (name: string, description: string) =>
    on(name, description)
      .argument('<network>', 'dm3, email, …')
      .argument('[destination]', 'a mail domain, or the ENS name of a delivery service; the whole network without it');
  lane('pause', 'Let nothing more leave; what is under way is finished, the rest is kept.').action(
    async (network: string, destination: string | undefined, _: unknown, command: Command) => {
      await asOperator(env, command.optsWithGlobals<Options>(), ({ admin }) => admin.pause(network, destination));
      console.log(`Paused. Go on with: dm3-gateway queue resume ${network}${destination ? ` ${destination}` : ''}`);
    },
  );
  lane('resume', 'Go on after a pause, or at once with a destination that was out of reach.').action(
    async (network: string, destination: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if (!(await asOperator(env, options, ({ admin }) => admin.resume(network, destination))))
        throw new NothingThereError('Nothing of this is paused or out of reach.');
      console.log('It goes on.');
    },
  );
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function asId(text: string): MessageId {
  if (!UUID.test(text))
    throw new NothingThereError(`${text} is no id of a message; "dm3-gateway queue dead" lists them.`);
  return text as MessageId;
}

function overview({ networks, lanes }: QueueView): string {
  if (networks.length === 0 && lanes.length === 0) return 'Nothing waits.';
  const rows = networks.map((each) => [
    `${each.network}${each.pausedAt ? ' (paused)' : ''}`,
    ...[each.waiting, each.held, each.due, each.parked, each.later, each.dead].map(String),
    each.oldestAt ? second(each.oldestAt) : '-',
  ]);
  const head = ['network', 'waiting', 'pairs: under way', 'due', 'for a place', 'for a retry', 'dead', 'oldest since'];
  return [table([head, ...rows]), ...lanes.map(trouble)].join('\n');
}

function trouble({ network, destination, failures, retryAt, code, pausedAt, parked }: LaneView): string {
  const pairs = parked > 0 ? `; ${parked} pairs wait` : '';
  if (pausedAt) return `\n${network} ${destination}: paused since ${second(pausedAt)}${pairs}`;
  const again = retryAt ? `, tried again at ${second(retryAt)}` : '';
  return `\n${network} ${destination}: out of reach ${failures} times in a row, ${code}${again}${pairs}`;
}

function list(letters: readonly DeadLetter[]): string {
  if (letters.length === 0) return 'There are no dead letters.';
  const rows = letters.map((each) => [each.ref, each.network, each.code, String(each.attempts), second(each.diedAt)]);
  return `${table([['id', 'network', 'reason', 'attempts', 'given up'], ...rows])}\n\nMore of one: dm3-gateway trace <id>`;
}
