import { FetchRequest, JsonRpcProvider, Network } from 'ethers';

/** An ethers provider of one endpoint, without detection of the network, without a cache, and whose requests all end. */
export function createRpcProvider(rpcUrl: string, options: { chainId: number; timeoutMs: number }): JsonRpcProvider {
  const network = new Network('configured', options.chainId);
  // What may be cached is decided above; ethers would answer a repeated call from a cache of its own.
  // Calls of one moment share a request all the same; by default each stage of a lookup waits 10 ms for more of them.
  const settings = { staticNetwork: network, cacheTimeout: -1, batchStallTime: 0 };
  return new JsonRpcProvider(rpcRequest(rpcUrl, options.timeoutMs), network, settings);
}

/** The platform's fetch: unlike the one of ethers it closes the connection when time is up. */
function rpcRequest(rpcUrl: string, timeoutMs: number): FetchRequest {
  const request = withCredentials(rpcUrl);
  request.timeout = timeoutMs;
  request.retryFunc = () => Promise.resolve(false); // a throttled endpoint (429) is left for the next one
  request.getUrlFunc = async ({ url, method, headers, body }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { method, headers, body: body && Buffer.from(body), signal });
    return {
      statusCode: response.status,
      statusMessage: response.statusText,
      headers: Object.fromEntries(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  };
  return request;
}

/** Fetch refuses URLs with a user and a password in them (RFC 3986 §3.2.1): they go into a header (RFC 7617). */
function withCredentials(rpcUrl: string): FetchRequest {
  const url = new URL(rpcUrl);
  const credentials = [url.username, url.password].map(decodeURIComponent).join(':');
  url.username = url.password = '';
  const request = new FetchRequest(url.href);
  if (credentials !== ':') request.setHeader('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
  return request;
}
