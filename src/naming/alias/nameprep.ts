/**
 * Code points, hexadecimal, that both ENSIP-15 and the nameprep of ethers 5 (RFC 3491 on Unicode 3.2, which dm3 clients
 * run) leave alone. No range runs over a code point that nameprep calls unassigned, so a newer Unicode adds nothing.
 */
const STABLE = `
  a2-b0 e0-1f9 300-328 390 3ac-3c1 3c3-3ce 3e3-3ef 430-45f 48b-4ce 4d5-4ef 561-586 591-5a1 5a3-5b9 5bb-5c4 5d0-5ea
  5f0-5f3 621-63a 641-655 660-6ed 6f4-6fe 70a-70d 710-72c 730-74a 780-7b1 901-903 905-939 93c-94d 950 960-970 981-983
  985-98c 98f-990 993-9a8 9aa-9b0 9b2 9b6-9b9 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e0-9e3 9e6-9fa a02 a05-a0a a0f-a10
  a13-a28 a2a-a30 a32 a35 a38-a39 a3c a3e-a42 a47-a48 a4b-a4d a5c a66-a74 a81-a83 a85-a8b a8d a8f-a91 a93-aa8 aaa-ab0
  ab2-ab3 ab5-ab9 abc-ac5 ac7-ac9 acb-acd ad0 ae0 ae6-aef b01-b03 b05-b0c b0f-b10 b13-b28 b2a-b30 b32-b33 b36-b39
  b3c-b43 b47-b48 b4b-b4d b56-b57 b5f-b61 b66-b70 b83 b85-b8a b8e-b90 b92-b95 b99-b9a b9c b9e-b9f ba3-ba4 ba8-baa bae-
  bb5 bb7-bb9 bbe-bc2 bc6-bc8 bca-bcd bd7 be7-bf2 c01-c03 c05-c0c c0e-c10 c12-c28 c2a-c33 c35-c39 c3e-c44 c46-c48
  c4a-c4d c55-c56 c60-c61 c66-c6f c82-c83 c85-c8c c8e-c90 c92-ca8 caa-cb3 cb5-cb9 cbe-cc4 cc6-cc8 cca-ccd cd5-cd6
  ce0-ce1 ce6-cef d02-d03 d05-d0c d0e-d10 d12-d28 d2a-d39 d3e-d43 d46-d48 d4a-d4d d57 d60-d61 d66-d6f d82-d83 d85-d96
  d9a-db1 db3-dbb dbd dc0-dc6 dca dcf-dd4 dd6 dd8-ddf df2-df4 e01-e3a e3f-e5b e81-e82 e84 e87-e88 e8a e8d e94-e97
  e99-e9f ea1-ea3 ea5 ea7 eaa-eab ead-eb9 ebb-ebd ec0-ec4 ec6 ec8-ecd ed0-ed9 f00-f47 f49-f6a f71-f8b f90-f97 f99-fbc
  fbe-fcc fcf 1000-1021 1023-1027 1029-102a 102c-1032 1036-1039 1040-1059 10d0-10f8 1100-1159 1161-11a2 11a8-11f9
  1200-1206 1208-1246 1248 124a-124d 1250-1256 1258 125a-125d 1260-1286 1288 128a-128d 1290-12ae 12b0 12b2-12b5
  12b8-12be 12c0 12c2-12c5 12c8-12ce 12d0-12d6 12d8-12ee 12f0-130e 1310 1312-1315 1318-131e 1320-1346 1348-135a
  1369-137c 13a0-13f4 1401-1676 1681-169c 16a0-16f0 1700-170c 170e-1714 1720-1734 1740-1753 1760-176c 176e-1770
  1772-1773 1780-17dc 17e0-17e9 1810-1819 1820-1877 1880-18a9 1ebd-1ef3 2019-2044 20a1-20b1 2117-211e 2190-23ce
  2581-2612 2616-2617 261a-267b 2680-2685 2702-2704 2706-2709 270c-2727 2729-274b 2756 2763-2794 279a-27a4 27e0
  27f0-29eb 2e80-2e99 2e9b-2ef2 3004-303d 3041-3096 3099-30fe 3105-312c 31a0-31b7 327f-4db5 4e00-9fa5 a000-a48c
  a490-a4c6 ac00-d7a3 fa0e-fa29 fb1e fe73 10300-1031e 10320-10323 10330-1034a 10428-1044d 1d11e 20000-2a6d6
`;

const STABLE_LABEL = new RegExp(`^[a-z0-9-${characterClass(STABLE)}]+$`, 'u');

/** True if nameprep keeps a label that ENSIP-15 keeps, so that old and new clients hash it alike. */
export function isNameprepStable(label: string): boolean {
  return STABLE_LABEL.test(label) && label.normalize('NFKC') === label;
}

function characterClass(ranges: string): string {
  return ranges.replaceAll(/[0-9a-f]+/g, '\\u{$&}').replaceAll(/\s/g, '');
}
