import { startHttpServer } from './http-server.js';

/** The way to the run's chain, which a test can cut. */
export interface ChainLink {
  readonly rpcUrl: string;
  /** Calls are hung up on until it is mended. */
  cut(): void;
  mend(): void;
  stop(): Promise<void>;
}

export async function startChainLink(): Promise<ChainLink> {
  let isCut = false;
  const server = await startHttpServer(async (request, response) => {
    if (isCut) return void response.destroy();
    const body = Buffer.concat(await request.toArray());
    const answer = await fetch(process.env['TEST_RPC_URL']!, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  return {
    rpcUrl: server.url,
    cut: () => void (isCut = true),
    mend: () => void (isCut = false),
    stop: () => server.stop(),
  };
}
