/** Envelopes travel as JSON text inside JSON: quotes and backslashes double. */
const OVERHEAD = 2;
/** For what surrounds the envelope. */
const FRAME_BYTES = 100_000;

/** Bytes of the largest request that can carry an envelope of `sizeLimit` bytes. */
export function requestLimit(sizeLimit: number): number {
  return sizeLimit * OVERHEAD + FRAME_BYTES;
}
