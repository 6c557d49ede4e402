// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title Top-level aliases of dm3: `label.<toplevel>` stands for `label.<alias>`
/// @notice The interface of dm3's registry contract, with an enumeration added so that a gateway can read all of it.
/// An entry can be changed but never removed.
contract TopLevelAliasRegistry {
    uint256 private constant MIN_ALIAS_BYTES = 6;
    uint256 private constant MAX_ALIAS_BYTES = 50;

    event AliasSet(string indexed _toplevel, string _alias);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error InvalidTopLevel(string toplevel);
    error InvalidAlias(string aliasName);
    error NotOwner(address caller);
    error InvalidOwner(address owner);

    address public owner;
    mapping(string toplevel => string) public aliases;
    string[] public toplevels;

    constructor(address initialOwner) {
        owner = initialOwner;
        emit OwnershipTransferred(address(0), initialOwner);
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    function existsAlias(string memory _toplevel) public view returns (bool) {
        return bytes(aliases[_toplevel]).length > 0;
    }

    /// @return how many entries `toplevels(index)` has
    function toplevelCount() external view returns (uint256) {
        return toplevels.length;
    }

    /// @param _toplevel not empty, without a leading dot: `email`
    /// @param _alias 6 to 50 bytes, without a leading dot: `email.gateway.eth`
    function setAlias(string memory _toplevel, string memory _alias) external onlyOwner {
        if (bytes(_toplevel).length == 0 || _startsWithDot(_toplevel)) revert InvalidTopLevel(_toplevel);
        uint256 length = bytes(_alias).length;
        if (length < MIN_ALIAS_BYTES || length > MAX_ALIAS_BYTES || _startsWithDot(_alias)) revert InvalidAlias(_alias);
        if (!existsAlias(_toplevel)) toplevels.push(_toplevel);
        aliases[_toplevel] = _alias;
        emit AliasSet(_toplevel, _alias);
    }

    function transferOwnership(address newOwner) external onlyOwner {
        if (newOwner == address(0)) revert InvalidOwner(newOwner);
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    function _startsWithDot(string memory value) private pure returns (bool) {
        return bytes(value)[0] == ".";
    }
}
