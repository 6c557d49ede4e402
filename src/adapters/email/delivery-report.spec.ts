import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readDeliveryReport } from './delivery-report.js';

const fixture = (file: string) => readFileSync(new URL(`../../../test/fixtures/eml/${file}`, import.meta.url));

function report(...blocks: string[]): Buffer {
  const parts = [
    'Content-Type: text/plain\r\n\r\nSorry.',
    `Content-Type: message/delivery-status\r\n\r\n${blocks.join('\r\n\r\n')}`,
  ];
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('');
  return Buffer.from(`Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n${body}--b--\r\n`);
}

describe('readDeliveryReport', () => {
  it('reads a failure', async () => {
    const result = await readDeliveryReport(fixture('jhillyerd__enmime--testdata_simple_dsn.eml'));
    expect(result).toEqual({
      kind: 'failed',
      text: 'The mail server of louisl@larry.slip.umd.edu returned the message: 426 connection timed out.',
    });
  });

  it('is not alarmed by a delay', async () => {
    const result = await readDeliveryReport(fixture('mikel__mail--multipart_report_emails_report_422.eml'));
    expect(result).toEqual({ kind: 'progress' });
  });

  it('names every receiver that failed, in the words of his server', async () => {
    const result = await readDeliveryReport(
      report(
        'Reporting-MTA: dns; mx.test',
        'Final-Recipient: rfc822; a@x.test\r\nAction: Failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no\r\n  such user',
        'Final-Recipient: rfc822; b@x.test\r\nAction: delivered\r\nStatus: 2.0.0',
        '__proto__: x\r\n: y\r\nAction: failed (gone)',
      ),
    );
    expect(result).toEqual({
      kind: 'failed',
      text: 'The mail server of a@x.test returned the message: 550 no such user. The mail server of the receiver returned the message: no reason given.',
    });
  });

  it('takes a bounce that it cannot read for a failure', async () => {
    for (const raw of ['', 'Subject: failure notice\r\n\r\nI tried.\r\n', report('nothing useful').toString()]) {
      expect(await readDeliveryReport(Buffer.from(raw))).toMatchObject({ kind: 'failed' });
    }
  });

  it.each([
    ['auto-replied', 'auto-reply'],
    ['Auto-Replied (vacation)', 'auto-reply'],
    ['auto-generated', 'auto-reply'],
    ['auto-notified; owner-email="bob@x.test"', 'auto-reply'],
    ['no', 'failed'],
    ['No (a person wrote this)', 'failed'],
  ])('knows by %s whether it is a holiday note or the like: %s', async (submitted, kind) => {
    const raw = `Auto-Submitted: ${submitted}\r\nSubject: away\r\n\r\nBack on Monday.\r\n`;
    expect(await readDeliveryReport(Buffer.from(raw))).toMatchObject({ kind });
  });
});
