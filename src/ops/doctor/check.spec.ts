import { describe, expect, it } from '@jest/globals';
import { GatewayError } from '../../common/errors.js';
import { examine, type Check, type Examined } from './check.js';
import { fine } from './finding.js';

async function all(checks: readonly Check[], patienceMs?: number): Promise<Examined[]> {
  const seen: Examined[] = [];
  for await (const examined of examine(checks, patienceMs)) seen.push(examined);
  return seen;
}

const check = (subject: string, run: Check['run']): Check => ({ subject, run });

describe('examine', () => {
  it('looks at everything at once and tells it in order', async () => {
    let release!: () => void;
    const second = new Promise<void>((resolve) => (release = resolve));
    const checks = [
      check('first', async () => second.then(() => [fine('A', 'Good.')])),
      check('second', async () => (release(), [fine('B', 'Good, too.')])),
    ];
    expect((await all(checks)).map(({ subject }) => subject)).toEqual(['first', 'second']);
  });

  it('makes findings of what is thrown, in the words of a named error', async () => {
    const named = new GatewayError({ code: 'DOWN', kind: 'unavailable', message: 'It is down.' });
    const seen = await all([
      check('named', () => Promise.reject(named)),
      check('bug', () => Promise.reject(new Error('no such file'))),
      check('fine', async () => [fine('C', 'Good.')]),
    ]);
    expect(seen.map(({ findings: [finding] }) => finding)).toMatchObject([
      { level: 'error', code: 'DOWN', message: 'It is down.' },
      { level: 'error', code: 'CHECK_FAILED', message: 'This could not be looked at: no such file.' },
      { level: 'ok', code: 'C' },
    ]);
  });

  it('waits for nothing for ever', async () => {
    const [seen] = await all([check('stuck', () => new Promise(() => {}))], 10);
    expect(seen!.findings).toMatchObject([{ level: 'error', code: 'NO_ANSWER' }]);
  });
});
