// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title The least of a smart account: it stands by what its owner's key signs (ERC-1271)
contract Erc1271Wallet {
    bytes4 private constant MAGIC = 0x1626ba7e;

    address public owner;

    constructor(address initialOwner) {
        owner = initialOwner;
    }

    /// @notice Another key from now on; whoever asks may change it, since this is a test's.
    function setOwner(address newOwner) external {
        owner = newOwner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        require(signature.length == 65, "not a signature");
        address signer = ecrecover(hash, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return signer != address(0) && signer == owner ? MAGIC : bytes4(0xffffffff);
    }
}
