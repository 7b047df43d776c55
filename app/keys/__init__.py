"""What opens, seals and signs: key files, AEAD, keyring, row MACs, signatures, the local CA.

The only room of the server that imports ``cryptography``.
"""
