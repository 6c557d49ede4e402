import { randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import { GatewayError } from '../common/errors.js';
import type { Environment } from '../config/env.js';
import type { AdminScope } from '../gateway/admin/admin-token.store.js';
import { asOperator } from './operator.js';
import { second, table } from './words.js';

const SCOPES: Readonly<Record<string, readonly AdminScope[]>> = { read: ['read'], act: ['read', 'act'] };

class TokenUnknownError extends GatewayError {
  constructor() {
    const message = 'There is no token of this id; "dm3-gateway token list" shows them.';
    super({ code: 'TOKEN_UNKNOWN', kind: 'not-found', message });
  }
}

interface Options {
  readonly config?: string;
}

/** `dm3-gateway token`: keys to the admin port. */
export function tokenCommand(env: Environment): Command {
  const command = new Command('token')
    .description('Make, list and take back tokens for the admin port.')
    .option('--config <file>', 'configuration file');
  const store = async () => (await import('../gateway/admin/admin-token.store.js')).adminTokenStore;
  command
    .command('add')
    .description('Make a token; it is shown once and kept as a hash.')
    .addOption(new Option('--scope <scope>', 'read looks, act changes').choices(Object.keys(SCOPES)).default('read'))
    .action(async ({ scope }: { scope: string }, self: Command) => {
      const token = randomBytes(32).toString('hex');
      const tokens = await store();
      await asOperator(env, self.optsWithGlobals<Options>(), ({ db }) => tokens.add(db, token, SCOPES[scope]!));
      console.log(token);
    });
  command
    .command('list')
    .description('Show the tokens by the first digits of their hashes.')
    .action(async (_: unknown, self: Command) => {
      const tokens = await store();
      const all = await asOperator(env, self.optsWithGlobals<Options>(), ({ db }) => tokens.list(db));
      const rows = all.map(({ id, scopes, createdAt }) => [id, scopes.join(', '), second(createdAt)]);
      console.log(rows.length > 0 ? table([['id', 'may', 'made'], ...rows]) : 'There are no tokens.');
    });
  command
    .command('remove')
    .description('Take a token back; it ends at once.')
    .argument('<id>', 'as "token list" shows it')
    .action(async (id: string, _: unknown, self: Command) => {
      const tokens = await store();
      const found = await asOperator(env, self.optsWithGlobals<Options>(), ({ db }) => tokens.remove(db, id));
      if (!found) throw new TokenUnknownError();
      console.log('It is of no use any more.');
    });
  return command;
}
