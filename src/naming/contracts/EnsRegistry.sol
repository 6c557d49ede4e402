// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title The part of the ENS registry (EIP-137) that names need on a local chain
/// @notice Same functions, events and node arithmetic as the registry on mainnet; operators and time-to-live setters
/// are left out. The deployer owns the root node.
contract EnsRegistry {
    struct Record {
        address owner;
        address resolver;
        uint64 ttl;
    }

    event Transfer(bytes32 indexed node, address owner);
    event NewOwner(bytes32 indexed node, bytes32 indexed label, address owner);
    event NewResolver(bytes32 indexed node, address resolver);
    event NewTTL(bytes32 indexed node, uint64 ttl);

    error NotOwner(bytes32 node, address caller);

    mapping(bytes32 node => Record) private records;

    constructor() {
        records[bytes32(0)].owner = msg.sender;
    }

    modifier onlyOwner(bytes32 node) {
        if (records[node].owner != msg.sender) revert NotOwner(node, msg.sender);
        _;
    }

    function owner(bytes32 node) external view returns (address) {
        return records[node].owner;
    }

    function resolver(bytes32 node) external view returns (address) {
        return records[node].resolver;
    }

    function ttl(bytes32 node) external view returns (uint64) {
        return records[node].ttl;
    }

    function recordExists(bytes32 node) external view returns (bool) {
        return records[node].owner != address(0);
    }

    function setOwner(bytes32 node, address newOwner) external onlyOwner(node) {
        records[node].owner = newOwner;
        emit Transfer(node, newOwner);
    }

    function setResolver(bytes32 node, address newResolver) external onlyOwner(node) {
        _setResolver(node, newResolver);
    }

    /// @return subnode the node of `label` under `node`
    function setSubnodeOwner(bytes32 node, bytes32 label, address newOwner) external returns (bytes32 subnode) {
        return _setSubnodeOwner(node, label, newOwner);
    }

    function setSubnodeRecord(bytes32 node, bytes32 label, address newOwner, address newResolver, uint64 newTtl) external {
        bytes32 subnode = _setSubnodeOwner(node, label, newOwner);
        if (records[subnode].resolver != newResolver) _setResolver(subnode, newResolver);
        if (records[subnode].ttl != newTtl) {
            records[subnode].ttl = newTtl;
            emit NewTTL(subnode, newTtl);
        }
    }

    function _setSubnodeOwner(bytes32 node, bytes32 label, address newOwner)
        private
        onlyOwner(node)
        returns (bytes32 subnode)
    {
        subnode = keccak256(abi.encodePacked(node, label));
        records[subnode].owner = newOwner;
        emit NewOwner(node, label, newOwner);
    }

    function _setResolver(bytes32 node, address newResolver) private {
        records[node].resolver = newResolver;
        emit NewResolver(node, newResolver);
    }
}
