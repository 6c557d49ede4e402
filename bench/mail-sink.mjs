// The least that taking a mail costs in one process: the same SMTP server and parser as the gateway's, and nothing else.
import { once } from 'node:events';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { serve } from './processes.mjs';

serve(async () => {
  const smtp = new SMTPServer({
    logger: false,
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _session, callback) => simpleParser(stream, {}, callback),
  });
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  return smtp.server.address().port;
});
