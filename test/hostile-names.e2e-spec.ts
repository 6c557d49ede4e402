import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ask } from './support/http-answer.js';
import { runOperator } from './support/program.js';
import { SmtpClient } from './support/smtp-client.js';
import { DOMAIN, TestGateway } from './support/test-gateway.js';

interface Hostile {
  readonly text: string;
  readonly name?: string;
  readonly refusal?: string;
}

const file = new URL('./fixtures/hostile-names.json', import.meta.url);
const corpus = JSON.parse(readFileSync(file, 'utf8')) as Hostile[];

const AT_ONCE = 8;

let gateway: TestGateway;
beforeAll(async () => void (gateway = await TestGateway.create()));
afterAll(() => gateway.stop());

describe('a hostile name or address', () => {
  it('gets over HTTP the one name it has, or one named refusal', async () => {
    for (const { text, name, refusal } of corpus.filter(({ text: each }) => each !== '' && each.isWellFormed())) {
      const { status, json } = await ask(`${gateway.url}/resolver/alias?of=${encodeURIComponent(text)}`);
      const answer = json as { name?: string; code?: string; message?: string };
      if (name !== undefined) expect({ text, status, name: answer.name }).toEqual({ text, status: 200, name });
      else expect({ text, code: answer.code, status }).toEqual({ text, code: refusal, status: statusOf(refusal!) });
      expect(answer.message ?? '').not.toMatch(/\n|^ *at /m);
    }
  });

  it('is refused as receiver of a mail in one line, for good, and the next one is taken', async () => {
    const paths = corpus.flatMap(({ text }) => (/[\r\n\0]/.test(text) ? [] : pathsOf(text)));
    const lanes = Array.from({ length: AT_ONCE }, (_, lane) => paths.filter((__, at) => at % AT_ONCE === lane));
    await Promise.all(lanes.map(expectRefusals));
  });

  it.each([
    ['bob..eth', 1, 'is not an ENS name'],
    ['-bob.eth', 1, 'is an ordinary ENS name'],
    ['alice@[192.0.2.1]', 1, 'by its IP address'],
    ['al\u202eice@example.com', 1, String.raw`"al\u202eice@example.com"`],
    ['_xmfwgsy3f._at.example.com.email.gateway.eth', 1, 'Write "alice._at.example.com.email.gateway.eth".'],
    ['"a@b"@example.com', 0, '_xmfage._at.example.com.email.gateway.eth'],
  ])('is translated or refused by the command, too: %s', async (text, code, words) => {
    const ending = await runOperator(['name', '--root', 'gateway.eth', '--', text]);
    expect(ending.code).toBe(code);
    expect(code === 0 ? ending.stdout : ending.stderr).toContain(words);
    expect(ending.stderr).not.toMatch(/^ +at /m);
  });
});

/** As it is where it is an address, and as the name of somebody here. */
function pathsOf(text: string): string[] {
  return [...(text.includes('@') ? [text] : []), `${text}@${DOMAIN}`];
}

/** One refusal each, and then a mailbox that there is, on the same connection. */
async function expectRefusals(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const client = await SmtpClient.connect(gateway.smtpPort);
    const reply = await client.recipient(path);
    expect({ path, reply }).toEqual({ path, reply: expect.stringMatching(/^(?:250|5[05]\d \d\.\d\.\d) [^\n]+$/) });
    expect(await client.recipient(`bob.eth@${DOMAIN}`)).toMatch(/^250 /);
    client.close();
  }
}

function statusOf(refusal: string): number {
  return refusal === 'NAME_WITHOUT_ADDRESS' ? 404 : 400;
}
