"""OpenText Core Signature, and nothing else: paths, shapes and proofs of the signature service."""
