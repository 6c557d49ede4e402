import { Connection } from './connection.mjs';

const HEADERS = 'POST /ds/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

/** JSON-RPC over keep-alive HTTP/1.1, an item being the body. */
export const httpClient = {
  prepare: (body) => Buffer.from(`${HEADERS}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`),

  async connect(port) {
    const connection = await Connection.open(port, isWhole);
    const deliver = async (request) => {
      const answer = await connection.exchange(request);
      if (!answer.startsWith('HTTP/1.1 200') || !answer.includes('"result":"OK"')) throw new Error(answer);
    };
    return { deliver, close: () => connection.close() };
  },
};

function isWhole(text) {
  const head = text.indexOf('\r\n\r\n');
  return head >= 0 && text.length >= head + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(text)[1]);
}
