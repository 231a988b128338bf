"""The kinds of records that rules know, one file each."""

from bcapp.core.kinds.case import CASE
from bcapp.core.kinds.company import COMPANY
from bcapp.core.kinds.customer import CUSTOMER
from bcapp.core.kinds.kind import Kind
from bcapp.core.kinds.order import ORDER
from bcapp.core.kinds.own_quote import OWN_QUOTE
from bcapp.core.kinds.price_list import PRICE_LIST
from bcapp.core.kinds.product import PRODUCT
from bcapp.core.kinds.promotion import PROMOTION
from bcapp.core.kinds.quote import QUOTE
from bcapp.core.kinds.supplier import SUPPLIER

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (ORDER, CUSTOMER, COMPANY, PRODUCT, PROMOTION, QUOTE, OWN_QUOTE, PRICE_LIST, SUPPLIER, CASE)
}

# An import or a migration tells of thousands of them at once, and none of them can be shipped or bought meanwhile.
COME_IN_THOUSANDS = frozenset(kind.name for kind in (CUSTOMER, COMPANY, PRODUCT))
