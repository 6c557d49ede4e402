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

/** CCIP-read lookups, an item being the path and the address of the client that is behind the proxy. */
export const ccipClient = {
  prepare: ({ path, client }) =>
    Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${client}\r\n\r\n`),

  async connect(port) {
    const connection = await Connection.open(port, isWhole);
    const deliver = async (request) => {
      const answer = await connection.exchange(request);
      if (!answer.startsWith('HTTP/1.1 200') || !answer.includes('"data":"0x')) throw new Error(answer);
    };
    return { deliver, close: () => connection.close() };
  },
};

/** Whether `text` is an HTTP answer to its end. */
export function isWhole(text) {
  const head = text.indexOf('\r\n\r\n');
  return head >= 0 && text.length >= head + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(text)[1]);
}
