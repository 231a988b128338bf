"""Countersign: e-signature approvals for BigCommerce with OpenText Core Signature."""

__version__ = "0.1.0"
