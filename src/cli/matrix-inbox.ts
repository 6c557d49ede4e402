import { Command } from 'commander';
import type { TroubledEvent } from '../adapters/matrix/inbox-care.js';
import { GatewayError } from '../common/errors.js';
import type { Environment } from '../config/env.js';
import type { Queryable } from '../storage/database.js';
import { configFile, loadConfig } from './start.command.js';
import { second, table } from './words.js';

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly all?: boolean;
}

class NothingToRetryError extends GatewayError {
  constructor(message: string) {
    super({ code: 'NOTHING_TO_RETRY', kind: 'not-found', message });
  }
}

const LIST = '"dm3-gateway matrix inbox" lists them.';
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** `dm3-gateway matrix inbox`: events that could not be handled. */
export function inboxCommand(env: Environment): Command {
  return new Command('inbox')
    .description('List events of the homeserver that could not be handled: those that wait, and those given up.')
    .option('--config <file>', 'configuration file')
    .option('--json', 'as JSON')
    .action(async (options: Options) => {
      const events = await withCare(env, options, ({ troubledEvents }, db) => troubledEvents(db));
      console.log(options.json ? JSON.stringify(events, null, 2) : list(events));
    });
}

/** `dm3-gateway matrix retry`: another chance for them. */
export function retryCommand(env: Environment): Command {
  return new Command('retry')
    .description('Have an event handled again that was given up, at its old place in its room; one that waits, now.')
    .argument('[id]', 'as "matrix inbox" lists it')
    .option('--all', 'all of them')
    .option('--config <file>', 'configuration file')
    .action(async (id: string | undefined, options: Options) => {
      if ((id === undefined) === !options.all) throw new NothingToRetryError(`Give an id or --all; ${LIST}`);
      if (id !== undefined && !UUID.test(id)) throw new NothingToRetryError(`${id} is no id of an event; ${LIST}`);
      const count = await withCare(env, options, ({ retryEvents }, db) => retryEvents(db, id ?? null));
      if (count === 0) throw new NothingToRetryError(`There is nothing to be tried again; ${LIST}`);
      console.log(count === 1 ? 'It is tried again.' : `${count} events are tried again.`);
    });
}

type Care = typeof import('../adapters/matrix/inbox-care.js');

/** On the database itself, so that it works while the gateway is down. Late: most commands need none of it. */
async function withCare<T>(
  env: Environment,
  { config }: Options,
  work: (care: Care, db: Queryable) => Promise<T>,
): Promise<T> {
  const { settings } = loadConfig(config ?? configFile(env), env);
  const [care, { withDatabase }] = await Promise.all([
    import('../adapters/matrix/inbox-care.js'),
    import('./database-session.js'),
  ]);
  return withDatabase(settings.database, (db) => work(care, db));
}

function list(events: readonly TroubledEvent[]): string {
  if (events.length === 0) return 'All events could be handled.';
  const rows = events.map(({ id, room, code, attempts, receivedAt, nextAt, failedAt, isKept }) => [
    id,
    room,
    code,
    String(attempts),
    second(receivedAt),
    failedAt ? second(failedAt) : '-',
    nextAt ? second(nextAt) : isKept ? '-' : 'erased',
  ]);
  const head = ['id', 'room', 'reason', 'failed attempts', 'received', 'given up', 'tried next'];
  return `${table([head, ...rows])}\n\nTry one again: dm3-gateway matrix retry <id>, or all: --all`;
}
