import { Connection } from './connection.mjs';

/** SMTP, many mails a connection, an item being `{ from, to, data }`. */
export const smtpClient = {
  prepare: ({ from, to, data }) =>
    [`MAIL FROM:<${from}>\r\n`, `RCPT TO:<${to}>\r\n`, 'DATA\r\n', `${data}\r\n.\r\n`].map((text) => Buffer.from(text)),

  async connect(port) {
    const connection = await Connection.open(port, (text) => /^\d{3} .*\r\n$/m.test(text));
    await connection.answer();
    await connection.exchange('EHLO client.test\r\n');
    const deliver = async (commands) => {
      for (const command of commands) {
        const answer = await connection.exchange(command);
        if (!/^[23]/.test(answer)) throw new Error(answer);
      }
    };
    return { deliver, close: () => connection.close() };
  },
};
