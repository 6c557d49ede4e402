// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

interface IRegistryOwner {
    function owner(bytes32 node) external view returns (address);
}

/// @title A resolver whose records live on the chain
/// @notice Address (EIP-137, EIP-2304), text (EIP-634) and reverse name (EIP-181) records, each set by whoever owns the
/// node in the registry.
contract PlainResolver {
    uint256 private constant COIN_ETH = 60;

    event AddrChanged(bytes32 indexed node, address a);
    event AddressChanged(bytes32 indexed node, uint256 coinType, bytes newAddress);
    event TextChanged(bytes32 indexed node, string indexed indexedKey, string key, string value);
    event NameChanged(bytes32 indexed node, string name);

    error NotNodeOwner(bytes32 node, address caller);
    error InvalidAddressLength(uint256 length);

    IRegistryOwner public immutable registry;

    mapping(bytes32 node => mapping(uint256 coinType => bytes)) private addresses;
    mapping(bytes32 node => mapping(string key => string)) private texts;
    mapping(bytes32 node => string) private names;

    constructor(IRegistryOwner registry_) {
        registry = registry_;
    }

    modifier onlyNodeOwner(bytes32 node) {
        if (registry.owner(node) != msg.sender) revert NotNodeOwner(node, msg.sender);
        _;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return
            id == 0x01ffc9a7 || // supportsInterface(bytes4), EIP-165
            id == 0x3b3b57de || // addr(bytes32)
            id == 0xf1cb7e06 || // addr(bytes32,uint256)
            id == 0x59d1d43c || // text(bytes32,string)
            id == 0x691f3431; // name(bytes32)
    }

    function addr(bytes32 node) external view returns (address) {
        return address(bytes20(addresses[node][COIN_ETH]));
    }

    function addr(bytes32 node, uint256 coinType) external view returns (bytes memory) {
        return addresses[node][coinType];
    }

    function text(bytes32 node, string calldata key) external view returns (string memory) {
        return texts[node][key];
    }

    function name(bytes32 node) external view returns (string memory) {
        return names[node];
    }

    function setAddr(bytes32 node, address value) external {
        setAddr(node, COIN_ETH, abi.encodePacked(value));
    }

    /// @param value the address in the coin's binary form; empty removes it
    function setAddr(bytes32 node, uint256 coinType, bytes memory value) public onlyNodeOwner(node) {
        if (coinType == COIN_ETH) {
            if (value.length != 0 && value.length != 20) revert InvalidAddressLength(value.length);
            emit AddrChanged(node, address(bytes20(value)));
        }
        addresses[node][coinType] = value;
        emit AddressChanged(node, coinType, value);
    }

    function setText(bytes32 node, string calldata key, string calldata value) external onlyNodeOwner(node) {
        texts[node][key] = value;
        emit TextChanged(node, key, key, value);
    }

    function setName(bytes32 node, string calldata value) external onlyNodeOwner(node) {
        names[node] = value;
        emit NameChanged(node, value);
    }
}
