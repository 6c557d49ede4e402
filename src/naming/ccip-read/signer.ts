import { AbiCoder } from 'ethers';
import type { EthAddress } from '../../common/ids.js';
import type { CryptoProvider } from '../../protocol/crypto/provider.js';
import { fromHex } from '../../protocol/encoding/hex.js';

/**
 * How the digest is signed: as it is (ENS's reference resolver and ours), or as the 32 bytes of a `personal_sign`
 * message (dm3's Ccip-Resolver). It must match the verifying contract.
 */
export type DigestForm = 'plain' | 'eip191';

export interface Answer {
  /** The resolver contract that will check the answer. */
  readonly target: EthAddress;
  /** Unix time in seconds. */
  readonly expires: number;
  /** The whole `resolve(bytes,bytes)` call, `0x`-hex. */
  readonly request: string;
  /** The ABI-encoded return value of the inner call, `0x`-hex. */
  readonly result: string;
}

interface Parts {
  readonly crypto: CryptoProvider;
  /** secp256k1, 32 bytes. */
  readonly privateKey: Uint8Array;
  readonly form: DigestForm;
}

const VALIDATOR_PREFIX = Uint8Array.of(0x19, 0x00); // EIP-191 version 0, "data with intended validator"
const PERSONAL_PREFIX = Buffer.from('\u0019Ethereum Signed Message:\n32');

/** Signs CCIP-read answers. */
export class AnswerSigner {
  /** The account that the resolver contract must trust. */
  readonly address: EthAddress;

  constructor(private readonly parts: Parts) {
    this.address = parts.crypto.ethereumAddress(parts.privateKey);
  }

  /** @returns `abi.encode(bytes result, uint64 expires, bytes signature)`, `0x`-hex: the `data` of ERC-3668's answer. */
  sign(answer: Answer): string {
    const { crypto, privateKey, form } = this.parts;
    const digest = answerDigest(crypto, answer);
    const signed = form === 'plain' ? digest : crypto.keccak256(Buffer.concat([PERSONAL_PREFIX, digest]));
    const signature = crypto.signEthereum(privateKey, signed);
    return AbiCoder.defaultAbiCoder().encode(['bytes', 'uint64', 'bytes'], [answer.result, answer.expires, signature]);
  }
}

/** keccak256(0x1900 ++ target ++ uint64 expires ++ keccak256(request) ++ keccak256(result)). */
export function answerDigest(
  { keccak256 }: Pick<CryptoProvider, 'keccak256'>,
  { target, expires, request, result }: Answer,
): Uint8Array {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(expires));
  const hashes = [request, result].map((hex) => keccak256(fromHex(hex)));
  return keccak256(Buffer.concat([VALIDATOR_PREFIX, fromHex(target), time, ...hashes]));
}
