// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title Somebody else's resolver for names off the chain
/// @notice ENSIP-10 and ERC-3668 in another manner than ours: one signer who signs as wallets do (EIP-191), questions
/// without a selector, other extra data, the signature first in the response, and a callback of another name. Where it
/// is told to, it orders further lookups before it is content.
contract StrangersResolver {
    address public immutable signer;
    string[] private services;
    uint256 private detours;

    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callbackFunction, bytes extraData);
    error NotOurs(address signer);

    constructor(address signer_) {
        signer = signer_;
    }

    function setServices(string[] memory urls) external {
        services = urls;
    }

    function setDetours(uint256 count) external {
        detours = count;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == 0x9061b923 || id == 0x01ffc9a7;
    }

    function resolve(bytes calldata name, bytes calldata data) external view returns (bytes memory) {
        _ask(abi.encode(name, data), detours);
    }

    /// @param response abi.encode(bytes signature, bytes result)
    /// @param extraData abi.encode(uint256 detours still to go, bytes question)
    function settle(bytes calldata response, bytes calldata extraData) external view returns (bytes memory) {
        (uint256 left, bytes memory question) = abi.decode(extraData, (uint256, bytes));
        (bytes memory signature, bytes memory result) = abi.decode(response, (bytes, bytes));
        address by = _signerOf(keccak256(abi.encode(address(this), question, result)), signature);
        if (by != signer) revert NotOurs(by);
        if (left > 0) _ask(question, left - 1);
        return result;
    }

    function _ask(bytes memory question, uint256 left) private view {
        revert OffchainLookup(address(this), services, question, this.settle.selector, abi.encode(left, question));
    }

    function _signerOf(bytes32 hash, bytes memory signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
        return ecrecover(keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n32", hash)), v, r, s);
    }
}
