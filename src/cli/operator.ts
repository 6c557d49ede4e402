import { randomBytes } from 'node:crypto';
import type { Environment } from '../config/env.js';
import { loadSecrets } from '../config/secrets.js';
import type { Transactor } from '../storage/database.js';
import { configFile, loadConfig } from './start.command.js';

/** What a command of an operator works with: the database itself, so that it works while the gateway is down. */
export interface Operator {
  readonly db: Transactor;
  readonly admin: import('../gateway/admin/admin.service.js').AdminService;
}

/** @throws ConfigError, StorageUnavailableError, DatabaseNotReadyError, and whatever `work` throws */
export async function asOperator<T>(
  env: Environment,
  { config }: { config?: string },
  work: (operator: Operator) => Promise<T>,
): Promise<T> {
  const { settings } = loadConfig(config ?? configFile(env), env);
  const secrets = loadSecrets(settings.secrets, env);
  const [parts, { withTransactions }] = await Promise.all([loadParts(), import('./database-session.js')]);
  const sealer = new parts.Sealer(await parts.createSodiumProvider(), randomBytes, secrets);
  return withTransactions(settings.database, (db) => {
    const outbox = new parts.Outbox(settings.database.schema);
    const queue = new parts.MessageQueue({ outbox, sealer, ...NOTHING_IS_ENQUEUED });
    const messages = new parts.MessageStore(sealer);
    const trace = new parts.MessageTraceStore(sealer);
    const events = new parts.EventStore(sealer);
    const ourIds = async (id: string) => [await events.remoteIdOf(db, id)];
    return work({ db, admin: new parts.AdminService({ db, outbox, messages, trace, queue, ourIds }) });
  });
}

const NOTHING_IS_ENQUEUED = { expirySeconds: {}, delayNotice: { byNetwork: {}, others: 0 } };

/** Late: most commands need none of it. */
async function loadParts() {
  const [sealer, sodium, outbox, queue, messages, trace, events, admin] = await Promise.all([
    import('../storage/sealer.js'),
    import('../protocol/crypto/sodium.js'),
    import('../outbox/outbox.js'),
    import('../gateway/messages/queue.js'),
    import('../gateway/messages/message.store.js'),
    import('../gateway/messages/message-trace.store.js'),
    import('../adapters/matrix/event.store.js'),
    import('../gateway/admin/admin.service.js'),
  ]);
  return { ...sealer, ...sodium, ...outbox, ...queue, ...messages, ...trace, ...events, ...admin };
}
