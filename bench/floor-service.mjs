// The least that a durable dm3_submitMessage costs in one process: parse, open, verify, postmark, one INSERT, and the
// answer after its commit. No names to resolve, no limits, no framework, no log; the same protocol code as the gateway.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Pool } from 'pg';
import { createSodiumProvider } from '../dist/protocol/crypto/sodium.js';
import { openDeliveryInformation, verifyEnvelope } from '../dist/protocol/envelope/envelope.js';
import { createPostmark, processedEnvelope } from '../dist/protocol/envelope/postmark.js';
import { serve } from './processes.mjs';

const POOL_SIZE = 10; // the gateway's default
const INSERT = { name: 'store', text: 'INSERT INTO floor_envelope (receiver, envelope) VALUES ($1, $2)' };

serve(async ({ postgres, keys, signingKeys, encryptionKeys }) => {
  const pool = new Pool({ ...postgres, max: POOL_SIZE, options: '-c synchronous_commit=on' });
  await pool.query(
    'CREATE TABLE floor_envelope (id bigserial PRIMARY KEY, receiver text NOT NULL, envelope text NOT NULL)',
  );
  const crypto = await createSodiumProvider();

  const submit = async (body) => {
    const { id, params } = JSON.parse(body);
    const envelope = JSON.parse(params[0]);
    const information = openDeliveryInformation(crypto, envelope, keys.encryption);
    if (!verifyEnvelope(crypto, envelope, signingKeys.get(information.from))) throw new Error('forged');
    const options = {
      envelopeMessage: envelope.message,
      receivedAt: Date.now(),
      signingKey: keys.signing.privateKey,
      receiverEncryptionKey: encryptionKeys.get(information.to),
    };
    const processed = processedEnvelope(envelope, information, createPostmark(crypto, options, randomBytes));
    await pool.query({ ...INSERT, values: [information.to, JSON.stringify(processed)] });
    return JSON.stringify({ jsonrpc: '2.0', id, result: 'OK' });
  };

  const server = http.createServer(async (request, response) => {
    const answer = await submit(await buffer(request));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) });
    response.end(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
});
