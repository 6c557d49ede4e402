import {
  AbiCoder,
  computeAddress,
  getBytes,
  hashMessage,
  keccak256,
  SigningKey,
  solidityPackedKeccak256,
} from 'ethers';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';

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

/** Signs CCIP-read answers with the first of its keys; the others are known so that a key can be changed in steps. */
export class AnswerSigner {
  /** The accounts that the resolver contract must trust, the signing one first. */
  readonly addresses: readonly EthAddress[];
  readonly #key: SigningKey;
  readonly #form: DigestForm;

  /** @param options.privateKeys 32 bytes each, `0x`-hex; at least one. */
  constructor(options: { privateKeys: readonly [string, ...string[]]; form: DigestForm }) {
    this.addresses = options.privateKeys.map((key) => parseEthAddress(computeAddress(key))!);
    this.#key = new SigningKey(options.privateKeys[0]);
    this.#form = options.form;
  }

  /** @returns `abi.encode(bytes result, uint64 expires, bytes signature)`, `0x`-hex: the `data` of ERC-3668's answer. */
  sign(answer: Answer): string {
    const digest = answerDigest(answer);
    const signed = this.#form === 'plain' ? digest : hashMessage(getBytes(digest));
    const { serialized } = this.#key.sign(signed);
    const types = ['bytes', 'uint64', 'bytes'];
    return AbiCoder.defaultAbiCoder().encode(types, [answer.result, answer.expires, serialized]);
  }
}

/** keccak256(0x1900 ++ target ++ uint64 expires ++ keccak256(request) ++ keccak256(result)): EIP-191 version 0. */
export function answerDigest({ target, expires, request, result }: Answer): string {
  const types = ['bytes2', 'address', 'uint64', 'bytes32', 'bytes32'];
  return solidityPackedKeccak256(types, ['0x1900', target, expires, keccak256(request), keccak256(result)]);
}
