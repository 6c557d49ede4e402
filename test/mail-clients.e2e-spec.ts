import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWithPeer } from './support/describe-with-peer.js';
import { eventually } from './support/eventually.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

const run = promisify(execFile);

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await TestGateway.create();
});
afterAll(() => gateway.stop());

/** `--a b --c d`, as people type it. */
const words = (text: string): string[] => text.split(' ');

async function waiting(): Promise<number> {
  const [row] = await gateway.db.query<{ count: number }>('SELECT count(*)::int AS count FROM mailbox');
  return row!.count;
}

describeWithPeer('swaks', 'the SMTP test client swaks', (swaks) => {
  it('mails bob, with an attachment and in two parts', async () => {
    const before = await waiting();
    const mail = `--from carol@example.org --to bob.eth@${DOMAIN} --body Hello --attach @package.json`;
    const { stdout } = await run(swaks, words(`--server 127.0.0.1 --port ${gateway.smtpPort} ${mail}`));
    expect(stdout).toMatch(/<- {2}250 2\.0\.0 Ok: [0-9a-f-]{36}/);
    await eventually('the message', async () => (await waiting()) === before + 1);
  });

  it('is told why a mail is refused', async () => {
    const mail = `--from carol@example.org --to nobody.eth@${DOMAIN}`;
    const refused = run(swaks, words(`--server 127.0.0.1 --port ${gateway.smtpPort} ${mail}`));
    await expect(refused).rejects.toMatchObject({ stdout: expect.stringContaining('550 5.1.1') });
  });
});

describeWithPeer('smtp-source', "Postfix's load generator", (smtpSource) => {
  it('brings 100 mails over 10 connections, and each arrives once', async () => {
    const before = await waiting();
    const load = `-s 10 -m 100 -l 4096 -f carol@example.org -t bob.eth@${DOMAIN}`;
    await run(smtpSource, words(`${load} 127.0.0.1:${gateway.smtpPort}`));
    await eventually('all of them', async () => (await waiting()) >= before + 100);
    expect(await waiting()).toBe(before + 100);
  });
});
