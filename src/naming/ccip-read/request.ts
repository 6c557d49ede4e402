import { Interface } from 'ethers';
import type { EnsName } from '../../common/ids.js';
import { dnsDecode, namehash } from '../dns-name.js';
import { tryNormaliseName } from '../ens-name.js';
import { CcipRequestInvalidError } from './errors.js';
import type { NameRecords } from './records.js';

const COIN_ETH = 60n;
const ZERO_ADDRESS = `0x${'0'.repeat(40)}`;
/** What a contract without the function returns; universal resolvers (ENSIP-23) tell their callers just that. */
const NO_SUCH_RECORD_TYPE = '0x';

const outer = new Interface(['function resolve(bytes name, bytes data) view returns (bytes)']);
const inner = new Interface([
  'function addr(bytes32 node) view returns (address)',
  'function addr(bytes32 node, uint256 coinType) view returns (bytes)',
  'function text(bytes32 node, string key) view returns (string)',
  'function contenthash(bytes32 node) view returns (bytes)',
]);
const several = new Interface(['function multicall(bytes[] calls) view returns (bytes[])']);

/** The ABI-encoded return value of a call, `0x`-hex; the empty value of its type where there is no such record. */
type Encode = (records: NameRecords | null) => string;

/** A question about one name, and how to put its answer. */
export interface RecordRequest {
  readonly name: EnsName;
  readonly encode: Encode;
}

/**
 * Reads the call data of ENSIP-10's `resolve(bytes,bytes)`: one record, or several in one `multicall(bytes[])`
 * (ENSIP-22). Record types that no name here has are answered with no data.
 * @throws CcipRequestInvalidError
 */
export function parseRecordRequest(data: string): RecordRequest {
  const [wireName, call] = decodeCall(outer, 'resolve', data) as readonly string[];
  const name = nameIn(wireName!);
  const node = namehash(name);
  const encode = selectorOf(call!) === several.getFunction('multicall')!.selector ? parseCalls : parseCall;
  return { name, encode: encode(call!, node) };
}

/** As many as clients ask for together. All may point at the same bytes, so the length of a request bounds nothing. */
const MAX_CALLS = 16;

function parseCalls(call: string, node: string): Encode {
  const [calls] = decodeCall(several, 'multicall', call) as readonly [readonly string[]];
  if (calls.length > MAX_CALLS)
    throw new CcipRequestInvalidError({ reason: `it asks for more than ${MAX_CALLS} records` });
  const encoders = calls.map((each) => parseCall(each, node));
  return (records) => several.encodeFunctionResult('multicall', [encoders.map((encode) => encode(records))]);
}

function parseCall(call: string, node: string): Encode {
  const signature = inner.getFunction(selectorOf(call))?.format();
  if (signature === undefined) return () => NO_SUCH_RECORD_TYPE;
  const [asked, argument] = decodeCall(inner, signature, call);
  if (asked !== node) throw new CcipRequestInvalidError({ reason: 'the name and the node in it differ' });
  return (records) => inner.encodeFunctionResult(signature, [valueOf(signature, argument, records)]);
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

function selectorOf(call: string): string {
  return call.slice(0, 10);
}

function decodeCall(abi: Interface, method: string, data: string): readonly unknown[] {
  try {
    return abi.decodeFunctionData(method, data).toArray();
  } catch (cause) {
    throw new CcipRequestInvalidError({ reason: `its data are not a call of ${method}`, cause });
  }
}
