import { Interface } from 'ethers';
import type { EthAddress } from '../common/ids.js';
import { hashPersonalMessage, recoverPersonalSigner } from '../protocol/crypto/keys.js';
import type { CryptoProvider } from '../protocol/crypto/provider.js';
import { profileCreationMessage, type SignedUserProfile } from '../protocol/profile/user-profile.js';
import type { ChainReader } from './chain-reader.js';

interface Parts {
  readonly crypto: CryptoProvider;
  /** The names' own chain: a contract account may exist on that one only. */
  readonly chain: Pick<ChainReader, 'call'>;
}

/** ERC-1271: what a contract returns for a signature it stands by, which is also the function's selector. */
const MAGIC = '0x1626ba7e';
const erc1271 = new Interface(['function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)']);
const BYTES = /^0x(?:[0-9a-fA-F]{2})*$/;
/** Multi-signature wallets concatenate 65 bytes an owner; nothing near this is a signature. */
const MAX_SIGNATURE_DIGITS = 20_000;

/** Tells whether an owner signed something, be that a key or a contract. */
export class OwnerCheck {
  constructor(private readonly parts: Parts) {}

  /**
   * True if the key of this address signed the profile, or the contract at it takes the signature (ERC-1271).
   * @throws NamingUnavailableError if the chain has to be asked and does not answer
   */
  isSignedBy({ profile, signature }: SignedUserProfile, address: EthAddress): Promise<boolean> {
    return this.hasSigned(profileCreationMessage(this.parts.crypto, profile, address), signature, address);
  }

  /**
   * The same for any text (EIP-191 `personal_sign`).
   * @param signature `0x`-hex
   * @throws NamingUnavailableError
   */
  async hasSigned(text: string, signature: string, address: EthAddress): Promise<boolean> {
    const isKeys = recoverPersonalSigner(this.parts.crypto, text, signature) === address;
    return isKeys || this.#isTakenByContract(text, signature, address);
  }

  async #isTakenByContract(text: string, signature: string, address: EthAddress): Promise<boolean> {
    if (signature.length > MAX_SIGNATURE_DIGITS || !BYTES.test(signature)) return false;
    const { crypto, chain } = this.parts;
    const hash = hashPersonalMessage(crypto, text);
    // Where there is no contract the answer is empty, which is not the magic value either.
    const answer = await chain.call(address, erc1271.encodeFunctionData('isValidSignature', [hash, signature]));
    return answer?.toLowerCase() === MAGIC.padEnd(66, '0');
  }
}
