// SPDX-License-Identifier: BSD-2-Clause
pragma solidity ^0.8.28;

/// @title A wildcard resolver (ENSIP-10) whose records are answered off the chain (ERC-3668)
/// @notice Every name below the one that uses this resolver is asked for at `urls`; an answer counts only when one of
/// the signers signed it, for this contract, for this very request, and its time is not over. Several records of a
/// name can be asked for in one request: `multicall(bytes[])` within `resolve` (ENSIP-22).
contract OffchainResolver {
    bytes4 private constant RESOLVE = 0x9061b923; // resolve(bytes,bytes): both the selector and the ENSIP-10 interface id
    bytes4 private constant RESOLVE_MULTICALL = 0x96b62db8; // ENSIP-22: eth.ens.resolver.extended.multicall
    /// Half the order of secp256k1: a larger `s` is the malleable twin of another signature (EIP-2).
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    event UrlsChanged(string[] urls);
    event SignerChanged(address indexed signer, bool trusted);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);

    error OffchainLookup(address sender, string[] urls, bytes callData, bytes4 callbackFunction, bytes extraData);
    error AnswerExpired(uint64 expires);
    error UntrustedSigner(address signer);
    error MalformedSignature();
    error NotOwner(address caller);
    error InvalidOwner(address owner);

    address public owner;
    mapping(address signer => bool) public signers;
    string[] private endpoints;

    constructor(string[] memory urls_, address[] memory signers_) {
        owner = msg.sender;
        emit OwnershipTransferred(address(0), msg.sender);
        _setUrls(urls_);
        for (uint256 i = 0; i < signers_.length; i++) _setSigner(signers_[i], true);
    }

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        _;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return
            id == 0x01ffc9a7 || // supportsInterface(bytes4), EIP-165
            id == 0x582de3e7 || // supportsFeature(bytes4), ERC-7996
            id == RESOLVE;
    }

    function supportsFeature(bytes4 id) external pure returns (bool) {
        return id == RESOLVE_MULTICALL;
    }

    /// @return the URL templates of ERC-3668, in the order in which clients try them
    function urls() external view returns (string[] memory) {
        return endpoints;
    }

    function setUrls(string[] calldata urls_) external onlyOwner {
        _setUrls(urls_);
    }

    function setSigner(address signer, bool trusted) external onlyOwner {
        _setSigner(signer, trusted);
    }

    function transferOwnership(address newOwner) external onlyOwner {
        if (newOwner == address(0)) revert InvalidOwner(newOwner);
        emit OwnershipTransferred(owner, newOwner);
        owner = newOwner;
    }

    /// @notice ENSIP-10. Always reverts with OffchainLookup; the request is the call itself.
    function resolve(bytes calldata name, bytes calldata data) external view returns (bytes memory) {
        bytes memory request = abi.encodeWithSelector(RESOLVE, name, data);
        revert OffchainLookup(address(this), endpoints, request, this.resolveWithProof.selector, request);
    }

    /// @notice The callback of ERC-3668.
    /// @param response abi.encode(bytes result, uint64 expires, bytes signature)
    /// @param request what was asked, as `resolve` gave it out
    /// @return result the ABI-encoded return value of the inner call
    function resolveWithProof(bytes calldata response, bytes calldata request) external view returns (bytes memory result) {
        uint64 expires;
        bytes memory signature;
        (result, expires, signature) = abi.decode(response, (bytes, uint64, bytes));
        if (expires < block.timestamp) revert AnswerExpired(expires);
        address signer = _recover(answerHash(address(this), expires, request, result), signature);
        if (!signers[signer]) revert UntrustedSigner(signer);
    }

    /// @notice What a signer signs, without any further prefix.
    /// @dev 0x1900 is EIP-191 version 0, "data with intended validator".
    function answerHash(address target, uint64 expires, bytes memory request, bytes memory result)
        public
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(hex"1900", target, expires, keccak256(request), keccak256(result)));
    }

    function _recover(bytes32 hash, bytes memory signature) private pure returns (address signer) {
        if (signature.length != 65) revert MalformedSignature();
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
            v := byte(0, mload(add(signature, 96)))
        }
        if (uint256(s) > HALF_ORDER) revert MalformedSignature();
        signer = ecrecover(hash, v, r, s);
        if (signer == address(0)) revert MalformedSignature();
    }

    function _setUrls(string[] memory urls_) private {
        endpoints = urls_;
        emit UrlsChanged(urls_);
    }

    function _setSigner(address signer, bool trusted) private {
        signers[signer] = trusted;
        emit SignerChanged(signer, trusted);
    }
}
