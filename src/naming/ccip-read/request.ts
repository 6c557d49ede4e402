import { Interface } from 'ethers';
import type { EnsName } from '../../common/ids.js';
import { dnsDecode, namehash } from '../dns-name.js';
import { tryNormaliseName } from '../ens-name.js';
import { CcipRequestInvalidError, UnsupportedRecordError } from './errors.js';
import type { NameRecords } from './records.js';

const COIN_ETH = 60n;
const ZERO_ADDRESS = `0x${'0'.repeat(40)}`;

const outer = new Interface(['function resolve(bytes name, bytes data) view returns (bytes)']);
const inner = new Interface([
  'function addr(bytes32 node) view returns (address)',
  'function addr(bytes32 node, uint256 coinType) view returns (bytes)',
  'function text(bytes32 node, string key) view returns (string)',
  'function contenthash(bytes32 node) view returns (bytes)',
]);

/** A question about one name, and how to put its answer. */
export interface RecordRequest {
  readonly name: EnsName;
  /** The ABI-encoded return value, `0x`-hex; the empty value of its type where there is no such record. */
  encode(records: NameRecords | null): string;
}

/**
 * Reads the call data of ENSIP-10's `resolve(bytes,bytes)`.
 * @throws CcipRequestInvalidError, UnsupportedRecordError
 */
export function parseRecordRequest(data: string): RecordRequest {
  const [wireName, call] = decodeCall(outer, 'resolve', data);
  const name = nameIn(wireName as string);
  const selector = (call as string).slice(0, 10);
  const fragment = inner.getFunction(selector);
  if (!fragment) throw new UnsupportedRecordError({ selector });
  const signature = fragment.format();
  const [node, argument] = decodeCall(inner, signature, call as string);
  if (node !== namehash(name)) throw new CcipRequestInvalidError({ reason: 'the name and the node in it differ' });
  return {
    name,
    encode: (records) => inner.encodeFunctionResult(signature, [valueOf(signature, argument, records)]),
  };
}

function valueOf(signature: string, argument: unknown, records: NameRecords | null): string {
  switch (signature) {
    case 'addr(bytes32)':
      return records?.address ?? ZERO_ADDRESS;
    case 'addr(bytes32,uint256)':
      return argument === COIN_ETH ? (records?.address ?? '0x') : '0x';
    case 'text(bytes32,string)':
      return textOf(records, argument as string);
    default:
      return '0x';
  }
}

function textOf(records: NameRecords | null, key: string): string {
  return records && Object.hasOwn(records.texts, key) ? records.texts[key]! : '';
}

function nameIn(wireName: string): EnsName {
  const name = dnsDecode(wireName);
  const normal = name === null ? null : tryNormaliseName(name);
  if (normal === null) throw new CcipRequestInvalidError({ reason: 'it does not hold a name in DNS wire form' });
  return normal;
}

function decodeCall(abi: Interface, method: string, data: string): readonly unknown[] {
  try {
    return abi.decodeFunctionData(method, data).toArray();
  } catch (cause) {
    throw new CcipRequestInvalidError({ reason: `its data are not a call of ${method}`, cause });
  }
}
