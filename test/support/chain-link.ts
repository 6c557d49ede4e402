import { startHttpServer } from './http-server.js';

/** The way to the run's chain, which a test can cut. */
export interface ChainLink {
  readonly rpcUrl: string;
  readonly port: number;
  /** How many have passed. */
  readonly calls: number;
  /** Calls are hung up on until it is mended. */
  cut(): void;
  /** The same, for calls that name this contract only. */
  cutOff(contract: string): void;
  /** Calls are answered with 503. */
  fail(): void;
  mend(): void;
  stop(): Promise<void>;
}

export async function startChainLink(): Promise<ChainLink> {
  let isCut = false;
  let isFailing = false;
  let unreachable: string | null = null;
  let calls = 0;
  const server = await startHttpServer(async (request, response) => {
    if (isCut) return void response.destroy();
    if (isFailing) return void response.writeHead(503).end();
    const body = Buffer.concat(await request.toArray());
    if (unreachable && body.includes(unreachable)) return void response.destroy();
    calls += [JSON.parse(body.toString())].flat().length;
    const answer = await fetch(process.env['TEST_RPC_URL']!, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  return {
    rpcUrl: server.url,
    port: server.port,
    get calls() {
      return calls;
    },
    cut: () => void (isCut = true),
    cutOff: (contract) => void (unreachable = contract),
    fail: () => void (isFailing = true),
    mend: () => {
      [isCut, isFailing] = [false, false];
      unreachable = null;
    },
    stop: () => server.stop(),
  };
}
