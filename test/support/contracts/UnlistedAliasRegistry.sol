// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title A registry of top-level aliases with no more than dm3's has: nobody can list its entries
contract UnlistedAliasRegistry {
    event AliasSet(string indexed _toplevel, string _alias);

    error OwnableUnauthorizedAccount(address account);

    address public owner = msg.sender;
    mapping(string toplevel => string) public aliases;

    function existsAlias(string memory _toplevel) external view returns (bool) {
        return bytes(aliases[_toplevel]).length > 0;
    }

    function setAlias(string memory _toplevel, string memory _alias) external {
        if (msg.sender != owner) revert OwnableUnauthorizedAccount(msg.sender);
        aliases[_toplevel] = _alias;
        emit AliasSet(_toplevel, _alias);
    }
}
