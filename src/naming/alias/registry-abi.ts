import { Interface } from 'ethers';

/** dm3's registry of top-level aliases, and the enumeration that ours adds to it. */
export const REGISTRY_ABI = new Interface([
  'function aliases(string toplevel) view returns (string)',
  'function owner() view returns (address)',
  'function setAlias(string _toplevel, string _alias)',
  'function toplevels(uint256 index) view returns (string)',
  'function toplevelCount() view returns (uint256)',
  'error InvalidTopLevel(string toplevel)',
  'error InvalidAlias(string aliasName)',
  'error NotOwner(address caller)',
  'error OwnableUnauthorizedAccount(address account)',
]);
