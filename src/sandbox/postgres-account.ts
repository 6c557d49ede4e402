import fs from 'node:fs';
import path from 'node:path';
import { GatewayError } from '../common/errors.js';

/** Whom PostgreSQL runs as. It refuses root, so root has it run as somebody else. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const CANDIDATES = ['postgres', 'nobody'];

export class PostgresAccountError extends GatewayError {
  constructor() {
    const message = `PostgreSQL does not run as root, and this machine has no account named ${CANDIDATES.join(' or ')}; add one (useradd --system postgres) or start as an ordinary user.`;
    super({ code: 'POSTGRES_ACCOUNT_MISSING', kind: 'unsupported', message });
  }
}

/**
 * Returns null for an ordinary user, who runs PostgreSQL as himself. For root: the owner of an existing `dataDir`, so
 * that an account created later changes nothing, else the first unprivileged account of the machine. It must have a
 * name there: initdb looks it up.
 * @throws PostgresAccountError
 */
export function postgresAccount(dataDir: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const owner = fs.statSync(dataDir, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const account = CANDIDATES.map(findAccount).find((found) => found !== null);
  if (account === undefined) throw new PostgresAccountError();
  return account;
}

/** passwd(5): name, password, uid, gid. */
function findAccount(name: string): Account | null {
  const lines = fs.existsSync('/etc/passwd') ? fs.readFileSync('/etc/passwd', 'utf8').split('\n') : [];
  const fields = lines.map((line) => line.split(':')).find(([first]) => first === name);
  return fields === undefined ? null : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** Whether `account` may pass through every folder from the root to `dir`; null is ourselves, who got here already. */
export function canReach(account: Account | null, dir: string): boolean {
  if (account === null) return true;
  const real = fs.realpathSync(dir);
  const parent = path.dirname(real);
  return mayEnter(account, fs.statSync(real)) && (parent === real || canReach(account, parent));
}

function mayEnter({ uid, gid }: Account, { mode, uid: owner, gid: group }: fs.Stats): boolean {
  if (owner === uid) return (mode & 0o100) !== 0;
  return (mode & (group === gid ? 0o010 : 0o001)) !== 0;
}

/** Makes `dir` if need be and gives it to `account` alone. */
export function makePrivateDirectory(dir: string, account: Account | null): void {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  fs.chmodSync(dir, 0o700);
  if (account !== null) fs.chownSync(dir, account.uid, account.gid);
}
