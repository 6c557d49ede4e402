import { GatewayError } from '../../common/errors.js';
import { failure, type Finding } from './finding.js';

/** One thing that the doctor looks at. It only looks: nothing is changed by it, and a running gateway is not disturbed. */
export interface Check {
  /** What it is about, for people: `DNS of mail.example.org`. */
  readonly subject: string;
  /** What it throws is a finding, too. */
  run(): Promise<readonly Finding[]>;
}

export interface Examined {
  readonly subject: string;
  readonly findings: readonly Finding[];
}

const PATIENCE_MS = 30_000;

/** All at once, since most of it is waiting; reported in their order, each as soon as those before it are. */
export async function* examine(checks: readonly Check[], patienceMs = PATIENCE_MS): AsyncGenerator<Examined> {
  const running = checks.map((check) => findingsOf(check, patienceMs));
  for (const [index, { subject }] of checks.entries()) yield { subject, findings: await running[index]! };
}

async function findingsOf(check: Check, patienceMs: number): Promise<readonly Finding[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding[]>((resolve) => {
    timer = setTimeout(() => resolve([tooLate(patienceMs)]), patienceMs);
  });
  try {
    return await Promise.race([check.run(), late]);
  } catch (error) {
    return [failed(error)];
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(patienceMs: number): Finding {
  const message = `There was no answer within ${Math.round(patienceMs / 1_000)} seconds.`;
  return failure('NO_ANSWER', message, 'See whether this machine reaches it, and run the doctor again.');
}

function failed(error: unknown): Finding {
  if (error instanceof GatewayError) return failure(error.code, error.message, 'Mend that and run the doctor again.');
  const reason = error instanceof Error ? error.message : String(error);
  return failure('CHECK_FAILED', `This could not be looked at: ${reason}.`, 'Mend that and run the doctor again.');
}
