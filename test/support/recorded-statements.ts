import { Database, type Queryable, type Tx } from '../../src/storage/database.js';

/** A statement as the service ran it, with what it was given last. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly unknown[];
  /** Of a prepared one. */
  readonly name?: string;
}

const EXPLAINED = /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

/** Notes down what every database runs, in transactions and outside, until it is told to stop. */
export function recordStatements(): { statements(): Statement[]; stop(): void } {
  const recorded = new Map<string, Statement>();
  const note = (sql: string, params: readonly unknown[] = [], name?: string): void => {
    if (EXPLAINED.test(sql)) recorded.set(sql, { sql, params, ...(name ? { name } : {}) });
  };
  const { query, transaction } = Database.prototype;
  Database.prototype.query = function (this: Database, ...args: Parameters<Queryable['query']>) {
    note(...args);
    return query.apply(this, args);
  } as typeof query;
  Database.prototype.transaction = function <T>(this: Database, work: (tx: Tx) => Promise<T>) {
    return transaction.call(this, (tx: Tx) => work(noted(tx, note))) as Promise<T>;
  } as typeof transaction;
  const stop = (): void => void Object.assign(Database.prototype, { query, transaction });
  return { statements: () => [...recorded.values()], stop };
}

function noted(tx: Tx, note: (...args: Parameters<Queryable['query']>) => void): Tx {
  return {
    ...tx,
    query: (...args) => {
      note(...args);
      return tx.query(...args);
    },
  };
}
