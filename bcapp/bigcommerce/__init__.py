"""BigCommerce, and nothing else: paths, shapes and proofs of the store platform."""
