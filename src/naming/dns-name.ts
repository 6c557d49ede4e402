import { concat, getBytes, id, keccak256, toUtf8Bytes, ZeroHash } from 'ethers';

/** The rest of a name behind its first dot; empty for a top-level name. */
export function parentOf(name: string): string {
  const dot = name.indexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1);
}

/**
 * The node of a name (EIP-137), `0x`-hex; 32 zero bytes for the empty name. Unlike the function of that name in
 * ethers it takes the name as it is, so that names which ENSIP-15 refuses can be asked for too.
 */
export function namehash(name: string): string {
  if (name === '') return ZeroHash;
  return name.split('.').reduceRight((node, label) => keccak256(concat([node, id(label)])), ZeroHash);
}

/** A name in DNS wire form (RFC 1035 §3.1), `0x`-hex. A label may take 255 bytes in ENS. */
export function dnsEncode(name: string): string {
  const labels = name.split('.').map((label) => toUtf8Bytes(label));
  return concat([...labels.flatMap((label) => [Uint8Array.of(label.length), label]), '0x00']);
}

/** The name in DNS wire form, its labels joined by dots, or null if the bytes are not one. */
export function dnsDecode(data: string): string | null {
  const bytes = getBytes(data);
  const labels: string[] = [];
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    const label = textOf(bytes.subarray(at + 1, at + 1 + bytes[at]!));
    if (label === null) return null;
    labels.push(label);
    at += 1 + bytes[at]!;
  }
  return at === bytes.length - 1 ? labels.join('.') : null;
}

function textOf(label: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(label);
    return text.includes('.') ? null : text;
  } catch {
    return null;
  }
}
