"""Believable stores, the same for the same seed: an outdoor outfitter with a past, and a small stranger."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

from bcapp.sandbox.bigcommerce.orders import v3_date
from bcapp.sandbox.bigcommerce.store import Store, User
from bcapp.sandbox.bigcommerce.webhooks import Webhooks
from bcapp.sandbox.ground import Ground

MAIN, STRANGER = "n0rthf1eld", "k3lp8m2qv"
PAST_ORDERS, PAST_DAYS = 500, 120

# name -> parent; a category stands after its parent.
CATEGORIES: list[tuple[str, str | None]] = [
    ("Camping", None), ("Tents", "Camping"), ("Expedition tents", "Tents"), ("Sleeping bags", "Camping"),
    ("Stoves and fuel", "Camping"), ("Climbing", None), ("Ropes", "Climbing"), ("Harnesses", "Climbing"),
    ("Protection", "Climbing"), ("Water", None), ("Kayaks", "Water"), ("Dry bags", "Water"), ("Clothing", None),
    ("Shells", "Clothing"), ("Footwear", "Clothing"), ("Navigation", None), ("Optics", "Navigation"),
    ("Courses and gift cards", None),
]  # fmt: skip

BRANDS = ["Granite Peak", "Larkspur", "Halvorsen", "Blue Current", "Ridgeline Optics", "Northfield"]

# name, SKU, brand, category, price, cost, weight, custom fields.
PRODUCTS: list[tuple[str, str, str, str, str, str, str, dict[str, str]]] = [
    ("Basecamp 4 tent", "TENT-4", "Granite Peak", "Tents", "449.00", "236.00", "11.4", {"Warranty": "5 years"}),
    ("Ridge 2 tent", "TENT-2", "Granite Peak", "Tents", "329.00", "171.00", "4.2", {"Warranty": "5 years"}),
    ("Solo trail tent", "TENT-1", "Larkspur", "Tents", "249.00", "121.00", "2.6", {"Warranty": "3 years"}),
    ("Polar dome expedition tent", "TENT-X8", "Granite Peak", "Expedition tents", "2890.00", "1630.00", "28.0",
     {"Warranty": "10 years", "Approval": "required"}),
    ("Storm shelter, 12 people", "TENT-S12", "Granite Peak", "Expedition tents", "1640.00", "905.00", "21.0",
     {"Warranty": "5 years"}),
    ("Footprint for Basecamp 4", "TENT-4-FP", "Granite Peak", "Tents", "59.00", "22.00", "1.1", {}),
    ("Down sleeping bag -10 °C", "BAG-D10", "Larkspur", "Sleeping bags", "389.00", "198.00", "2.1", {}),
    ("Down sleeping bag -25 °C", "BAG-D25", "Larkspur", "Sleeping bags", "629.00", "340.00", "3.4", {}),
    ("Synthetic sleeping bag 0 °C", "BAG-S0", "Northfield", "Sleeping bags", "119.00", "48.00", "2.9", {}),
    ("Insulated sleeping pad", "PAD-R5", "Larkspur", "Sleeping bags", "169.00", "77.00", "1.2", {}),
    ("Canister stove", "STOVE-C1", "Halvorsen", "Stoves and fuel", "79.00", "33.00", "0.3", {"Hazmat": "no"}),
    ("Expedition liquid fuel stove", "STOVE-L2", "Halvorsen", "Stoves and fuel", "189.00", "92.00", "0.9",
     {"Hazmat": "yes"}),
    ("Fuel canister 450 g", "FUEL-450", "Halvorsen", "Stoves and fuel", "14.50", "6.10", "1.3", {"Hazmat": "yes"}),
    ("Cook set for two", "COOK-2", "Halvorsen", "Stoves and fuel", "64.00", "27.00", "1.0", {}),
    ("Dynamic rope 9.8 mm, 60 m", "ROPE-D98-60", "Halvorsen", "Ropes", "239.00", "121.00", "8.4",
     {"Safety equipment": "yes"}),
    ("Static rope 11 mm, 200 m", "ROPE-S11-200", "Halvorsen", "Ropes", "589.00", "312.00", "33.0",
     {"Safety equipment": "yes", "Approval": "required"}),
    ("Alpine harness", "HARN-A", "Granite Peak", "Harnesses", "89.00", "38.00", "0.8", {"Safety equipment": "yes"}),
    ("Rescue harness, full body", "HARN-R", "Granite Peak", "Harnesses", "329.00", "174.00", "3.6",
     {"Safety equipment": "yes", "Approval": "required"}),
    ("Helmet", "HELM-1", "Granite Peak", "Protection", "74.00", "31.00", "0.7", {"Safety equipment": "yes"}),
    ("Cam set, seven pieces", "CAM-7", "Halvorsen", "Protection", "549.00", "301.00", "2.2",
     {"Safety equipment": "yes"}),
    ("Avalanche transceiver", "AVA-T3", "Ridgeline Optics", "Protection", "379.00", "214.00", "0.5",
     {"Safety equipment": "yes", "Serial number": "yes"}),
    ("Ice screw, 16 cm", "ICE-16", "Halvorsen", "Protection", "68.00", "29.00", "0.4", {"Safety equipment": "yes"}),
    ("Touring kayak 14 ft", "KAYAK-14", "Blue Current", "Kayaks", "1890.00", "1120.00", "52.0",
     {"Ships by": "freight", "Serial number": "yes"}),
    ("Expedition kayak 17 ft", "KAYAK-17", "Blue Current", "Kayaks", "3450.00", "2085.00", "58.0",
     {"Ships by": "freight", "Serial number": "yes", "Approval": "required"}),
    ("Carbon paddle", "PADDLE-C", "Blue Current", "Kayaks", "319.00", "158.00", "1.6", {}),
    ("Spray skirt", "SKIRT-1", "Blue Current", "Kayaks", "129.00", "58.00", "1.0", {}),
    ("Dry bag 35 l", "DRY-35", "Blue Current", "Dry bags", "44.00", "17.00", "0.8", {}),
    ("Dry bag 80 l", "DRY-80", "Blue Current", "Dry bags", "79.00", "33.00", "1.7", {}),
    ("Three-layer shell jacket, women", "SHELL-W", "Larkspur", "Shells", "419.00", "203.00", "1.2", {}),
    ("Three-layer shell jacket, men", "SHELL-M", "Larkspur", "Shells", "419.00", "203.00", "1.3", {}),
    ("Insulated parka", "PARKA-1", "Northfield", "Shells", "289.00", "126.00", "2.6", {}),
    ("Trail shoes", "SHOE-T", "Northfield", "Footwear", "129.00", "54.00", "1.6", {}),
    ("Mountaineering boots", "BOOT-M", "Granite Peak", "Footwear", "529.00", "281.00", "4.4", {}),
    ("Merino socks, three pairs", "SOCK-3", "Northfield", "Footwear", "39.00", "13.00", "0.4", {}),
    ("Sighting compass", "COMP-1", "Ridgeline Optics", "Navigation", "84.00", "36.00", "0.2", {}),
    ("Satellite messenger", "SAT-2", "Ridgeline Optics", "Navigation", "349.00", "221.00", "0.3",
     {"Serial number": "yes", "Contract": "subscription"}),
    ("Binoculars 10x42", "OPT-1042", "Ridgeline Optics", "Optics", "459.00", "249.00", "1.7", {"Warranty": "10 years"}),
    ("Thermal imaging monocular", "OPT-TH1", "Ridgeline Optics", "Optics", "2190.00", "1385.00", "1.1",
     {"Export control": "yes", "Approval": "required"}),
    ("Wilderness first aid course, online", "COURSE-WFA", "Northfield", "Courses and gift cards", "195.00", "0.00",
     "0", {}),
    ("Route planning course, online", "COURSE-NAV", "Northfield", "Courses and gift cards", "95.00", "0.00", "0", {}),
]  # fmt: skip

# code, name, sign, what one of the default currency is worth in it
CURRENCIES = [
    ("USD", "US dollar", "$", "1.0000000000"), ("EUR", "Euro", "€", "0.9200000000"),
    ("CAD", "Canadian dollar", "CA$", "1.3700000000"), ("GBP", "Pound sterling", "£", "0.7900000000"),
]  # fmt: skip

GROUPS = ["Guests", "Retail", "Wholesale", "Rescue services"]

FIRST = [
    "Ada", "Ben", "Carla", "Dmitri", "Elena", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kenji", "Lena", "Mara",
    "Nils", "Olga", "Pablo", "Quinn", "Rosa", "Samir", "Tara", "Ugo", "Vera", "Walter", "Ximena", "Yusuf", "Zoe",
    "Amira", "Bruno", "Chen", "Dora",
]  # fmt: skip
LAST = [
    "Abbott", "Bergström", "Calloway", "Dubois", "Ekström", "Ferrari", "Gallagher", "Hoffmann", "Ito", "Jensen",
    "Kowalski", "Lindqvist", "Moreau", "Novak", "Okafor", "Petrov", "Quiroga", "Rossi", "Schneider", "Tanaka", "Ueda",
    "Vargas", "Weber", "Xu", "Yamada", "Zimmermann", "Brandt", "Castillo", "Doyle", "Eriksen",
]  # fmt: skip
COMPANIES = [
    "Alpine Rescue Cooperative", "Timberline Guides LLC", "Summit Supply Co.", "Lakeshore Kayak School",
    "Boreal Expeditions", "Highland Scout Council", "Three Rivers Outfitters", "Glacier National Lodge",
    "Cascade Mountain Patrol", "Red Canyon Tours", "Bergsport Huber GmbH", "Nordkap Ausrüstung GmbH",
    "Randonnée Savoie SARL", "Pine State University", "Coastal Survey Inc.", "Wolf Creek Ski Patrol",
    "Traverse Events LLC", "Larch Valley Trading", "Big Sky Retail Group", "Sierra Search and Rescue",
]  # fmt: skip

# street, city, state, zip, country, code
PLACES = [
    ("410 Pine Street", "Boulder", "Colorado", "80302", "United States", "US"),
    ("1275 Lakeview Road", "Burlington", "Vermont", "05401", "United States", "US"),
    ("89 Canyon Drive", "Moab", "Utah", "84532", "United States", "US"),
    ("2300 Summit Avenue", "Seattle", "Washington", "98101", "United States", "US"),
    ("17 Harbor Lane", "Portland", "Maine", "04101", "United States", "US"),
    ("640 Cedar Court", "Bend", "Oregon", "97701", "United States", "US"),
    ("58 Granite Way", "Bozeman", "Montana", "59715", "United States", "US"),
    ("905 Mission Boulevard", "San Diego", "California", "92109", "United States", "US"),
    ("Lindenstraße 14", "München", "Bayern", "80331", "Germany", "DE"),
    ("Hauptstraße 73", "Garmisch-Partenkirchen", "Bayern", "82467", "Germany", "DE"),
    ("12 rue du Mont-Blanc", "Chamonix", "Auvergne-Rhône-Alpes", "74400", "France", "FR"),
    ("221 Bow Valley Trail", "Canmore", "Alberta", "T1W 1N9", "Canada", "CA"),
]


def seed_stores(ground: Ground, webhooks: Webhooks) -> list[Store]:
    """Return the main store and the stranger's, filled."""
    chance = random.Random(ground.settings.seed)
    main = Store(
        ground, webhooks, hash=MAIN, store_id=1002147, name="Northfield Outfitters", currency="USD",
        owner=User(id=2400101, email="dana.whitfield@northfield.example", name="Dana Whitfield", may_install=True),
    )  # fmt: skip
    for user in (
        User(id=2400102, email="marcus.reyes@northfield.example", name="Marcus Reyes", may_install=True),
        User(id=2400103, email="priya.nair@northfield.example", name="Priya Nair"),
        User(id=2400104, email="tom.becker@northfield.example", name="Tom Becker", locale="de-DE"),
        User(id=2400105, email="sofia.laurent@northfield.example", name="Sofia Laurent"),
    ):
        main.users[user.id] = user
    fill(main, chance, customers=60)
    channel(main, 1, "Northfield Outfitters", "storefront", "bigcommerce")
    channel(main, 2, "Point of sale, Boulder", "pos", "square")
    channel(main, 3, "Northfield Europe", "storefront", "bigcommerce")
    if ground.settings.history:
        past(main, chance, PAST_ORDERS)
    other = Store(
        ground, webhooks, hash=STRANGER, store_id=1002388, name="Kelp & Salt Provisions", currency="USD",
        owner=User(id=2400901, email="jo.marlow@kelpandsalt.example", name="Jo Marlow", may_install=True),
    )  # fmt: skip
    other.users[2400902] = User(id=2400902, email="sam.ito@kelpandsalt.example", name="Sam Ito")
    # One person may work in two stores under the same number (bigcommerce.md 1.6).
    other.users[2400105] = main.users[2400105]
    other.address = "5 Wharf Street, Rockport, ME 04856"
    fill(other, chance, customers=8)
    channel(other, 1, "Kelp & Salt Provisions", "storefront", "bigcommerce")
    if ground.settings.history:
        past(other, chance, 12)
    return [main, other]


def fill(store: Store, chance: random.Random, customers: int) -> None:
    """Give a store its currencies, groups, catalog and customers."""
    born = store.now() - timedelta(days=400)
    for place, (code, name, token, rate) in enumerate(CURRENCIES, start=1):
        store.currencies[code] = {
            "id": place, "is_default": code == store.currency, "last_updated": v3_date(born), "country_iso2": code[:2],
            "currency_code": code, "currency_exchange_rate": rate, "auto_update": False, "token_location": "left",
            "token": token, "decimal_token": ".", "thousands_token": ",", "decimal_places": 2, "name": name,
            "enabled": True, "is_transactional": code in ("USD", "EUR"),
        }  # fmt: skip
    for place, name in enumerate(GROUPS):
        number = store.next_id("group")
        rules = [{"type": "all", "method": "percent", "amount": "20.0000"}] if name == "Wholesale" else []
        store.groups[number] = {
            "id": number, "name": name, "is_default": name == "Retail", "is_group_for_guests": place == 0,
            "category_access": {"type": "all"}, "discount_rules": rules,
            "date_created": v3_date(born), "date_modified": v3_date(born),
        }  # fmt: skip
    for name in BRANDS:
        number = store.next_id("brand")
        store.brands[number] = {
            "id": number, "name": name, "page_title": name, "meta_keywords": [], "meta_description": "",
            "search_keywords": "", "image_url": "", "custom_url": {"url": f"/{slug(name)}/", "is_customized": False},
        }  # fmt: skip
    ids: dict[str, int] = {}
    for place, (name, parent) in enumerate(CATEGORIES):
        ids[name] = number = store.next_id("category")
        store.categories[number] = {
            "category_id": number, "parent_id": ids[parent] if parent else 0, "tree_id": 1, "name": name,
            "category_uuid": f"00000000-0000-4000-8000-{number:012d}", "description": "", "views": 0,
            "sort_order": place, "page_title": "", "meta_keywords": [], "meta_description": "", "layout_file": "",
            "image_url": "", "is_visible": True, "search_keywords": "", "default_product_sort": "use_store_settings",
            "url": {"path": f"/{slug(name)}/", "is_customized": False},
        }  # fmt: skip
    brands = {b["name"]: number for number, b in store.brands.items()}
    for row in PRODUCTS:
        product(store, row, brands, ids, born)
    for _ in range(customers):
        customer(store, chance, born)
    price_list(store, "Rescue services 2026", born)


def price_list(store: Store, name: str, born: datetime) -> None:
    """Prices of the first products at a tenth off, with a step for larger quantities."""
    number = store.next_id("price_list")
    at = v3_date(born)
    store.price_lists[number] = {"id": number, "name": name, "active": True, "date_created": at, "date_modified": at}
    tiers = [
        {"quantity_min": 10, "quantity_max": 49, "type": "percent", "amount": 5},
        {"quantity_min": 50, "quantity_max": None, "type": "percent", "amount": 10},
    ]
    store.prices[number] = [
        {
            "price_list_id": number, "variant_id": p["base_variant_id"], "product_id": p["id"], "sku": p["sku"],
            "price": round(p["price"] * 0.9, 2), "calculated_price": round(p["price"] * 0.9, 2),
            "currency": store.currency.lower(), "bulk_pricing_tiers": tiers if p["price"] > 100 else [],
            "date_created": at, "date_modified": at,
        }
        for p in list(store.products.values())[:20]
    ]  # fmt: skip


def slug(name: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def product(
    store: Store, row: tuple[str, str, str, str, str, str, str, dict[str, str]], brands: dict[str, int],
    categories: dict[str, int], born: datetime,
) -> None:  # fmt: skip
    name, sku, brand, category, price, cost, weight, fields = row
    number = store.next_id("product")
    digital = category == "Courses and gift cards"
    custom = [{"id": store.next_id("custom_field"), "name": k, "value": v} for k, v in fields.items()]
    store.products[number] = {
        "id": number, "name": name, "type": "digital" if digital else "physical", "sku": sku,
        "description": f"<p>{name}.</p>", "weight": float(weight), "width": 0, "depth": 0, "height": 0,
        "price": float(price), "cost_price": float(cost), "retail_price": 0, "sale_price": 0, "map_price": 0,
        "tax_class_id": 0, "product_tax_code": "", "calculated_price": float(price),
        "categories": [categories[category]], "brand_id": brands[brand], "option_set_id": None,
        "option_set_display": "right", "inventory_level": 120, "inventory_warning_level": 5,
        "inventory_tracking": "product", "reviews_rating_sum": 0, "reviews_count": 0, "total_sold": 0,
        "fixed_cost_shipping_price": 0, "is_free_shipping": False, "is_visible": True, "is_featured": False,
        "related_products": [-1], "warranty": "", "bin_picking_number": "", "layout_file": "", "upc": "",
        "mpn": sku, "gtin": "", "search_keywords": "", "availability": "available", "availability_description": "",
        "gift_wrapping_options_type": "any", "gift_wrapping_options_list": [], "sort_order": 0, "condition": "New",
        "is_condition_shown": False, "order_quantity_minimum": 0, "order_quantity_maximum": 0, "page_title": "",
        "meta_keywords": [], "meta_description": "", "date_created": v3_date(born), "date_modified": v3_date(born),
        "view_count": 0, "preorder_release_date": None, "preorder_message": "", "is_preorder_only": False,
        "is_price_hidden": False, "price_hidden_label": "", "base_variant_id": store.next_id("variant"),
        "custom_url": {"url": f"/{slug(name)}/", "is_customized": False}, "open_graph_type": "product",
        "open_graph_title": "", "open_graph_description": "", "open_graph_use_meta_description": True,
        "open_graph_use_product_name": True, "open_graph_use_image": True, "custom_fields": custom,
        "bulk_pricing_rules": [], "images": [], "videos": [], "modifiers": [], "options": [],
        "channels": [1], "variants": [],
    }  # fmt: skip


def customer(store: Store, chance: random.Random, born: datetime) -> None:
    number = store.next_id("customer")
    first, last = chance.choice(FIRST), chance.choice(LAST)
    business = number % 3 == 0
    company = COMPANIES[(number // 3) % len(COMPANIES)] if business else ""
    street, city, state, postcode, country, code = chance.choice(PLACES)
    at = v3_date(born + timedelta(days=chance.randrange(380), minutes=chance.randrange(1440)))
    group = 4 if "Rescue" in company or "Patrol" in company else 3 if business else 2
    phone = f"+1 303 555 {number:04d}"
    plain = f"{first}.{last}{number}".lower().translate(str.maketrans("öäü", "oau"))
    store.customers[number] = {
        "id": number, "email": f"{plain}@{slug(company) or 'mail'}.example", "first_name": first, "last_name": last,
        "company": company, "phone": phone, "registration_ip_address": "203.0.113.9", "notes": "",
        "tax_exempt_category": "", "customer_group_id": group, "date_created": at, "date_modified": at,
        "address_count": 1, "attribute_count": 0, "authentication": {"force_password_reset": False},
        "addresses": [
            {
                "id": store.next_id("customer_address"), "customer_id": number, "first_name": first,
                "last_name": last, "company": company, "address1": street, "address2": "", "city": city,
                "state_or_province": state, "postal_code": postcode, "country_code": code, "country": country,
                "phone": phone, "address_type": "commercial" if business else "residential",
            }
        ],
        "attributes": [], "form_fields": [], "store_credit_amounts": [{"amount": 0}],
        "accepts_product_review_abandoned_cart_emails": True, "origin_channel_id": 1, "channel_ids": None,
    }  # fmt: skip


def channel(store: Store, number: int, name: str, kind: str, platform: str) -> None:
    born = v3_date(store.now() - timedelta(days=400))
    store.channels[number] = {
        "id": number, "name": name, "type": kind, "platform": platform, "status": "active", "is_enabled": True,
        "is_visible": True, "is_listable_from_ui": True, "external_id": "", "icon_url": "", "date_created": born,
        "date_modified": born,
    }  # fmt: skip
    if kind != "storefront":
        return
    site = 999 + number
    url = f"https://store-{store.hash}{'' if number == 1 else f'-{number}'}.mybigcommerce.com"
    store.sites[site] = {
        "id": site, "url": url, "channel_id": number, "created_at": born, "updated_at": born,
        "ssl_status": "dedicated", "is_checkout_url_customized": False,
        "urls": [
            {"url": url, "type": kind, "created_at": born, "updated_at": born}
            for kind in ("primary", "canonical", "checkout")
        ],
    }  # fmt: skip


def past(store: Store, chance: random.Random, count: int) -> None:
    """Place orders in the past without a word to anybody: old ones are mostly shipped, recent ones mostly open."""
    now = store.now()
    skus = [p["sku"] for p in store.products.values()]
    weights = [max(1, int(4000 / float(p["price"]))) for p in store.products.values()]
    moments = sorted(now - timedelta(minutes=chance.uniform(120, PAST_DAYS * 1440)) for _ in range(count))
    people = list(store.customers)
    for at in moments:
        one_past(store, chance, at, now, chance.choices(skus, weights, k=chance.choice([1, 1, 1, 2, 2, 3])), people)


def one_past(
    store: Store, chance: random.Random, at: datetime, now: datetime, skus: list[str], people: list[int]
) -> None:
    buyer = 0 if chance.random() < 0.12 else chance.choice(people)
    known = store.customers.get(buyer)
    abroad = known is not None and known["addresses"][0]["country_code"] in ("DE", "FR")
    group = known["customer_group_id"] if known else 1
    wholesale = group in (3, 4)
    lines = [(sku, chance.choice([2, 4, 6, 10] if wholesale else [1, 1, 1, 2])) for sku in dict.fromkeys(skus)]
    method = chance.choice(["invoice", "invoice", "card"] if wholesale else ["card", "card", "card", "paypal"])
    payment = "unpaid" if method == "invoice" and chance.random() < 0.4 else "paid"
    order = store.place_order(
        lines=lines, customer_id=buyer, payment=payment, method=method, at=at, quiet=True,
        channel_id=3 if abroad else 1, currency="EUR" if abroad else None,
        discount="25.00" if chance.random() < 0.06 else "0",
        message="Please leave it at the back door." if chance.random() < 0.05 else "",
    )  # fmt: skip
    age = (now - at).days
    draw = chance.random()
    later = min(at + timedelta(hours=chance.uniform(4, 96)), now - timedelta(minutes=5))
    later = max(later, at)
    if draw < 0.04:
        store._move(order, 5, "merchant", later, quiet=True)
    elif order.payment_status == "captured" and order.addresses and (age > 5 or draw > 0.6):
        for line in order.lines:
            line.quantity_shipped = line.quantity if line.type == "physical" else 0
        store._move(order, 10 if age > 25 else 2, "merchant", later, quiet=True)
        if draw > 0.97:
            order.refunded = order.with_tax(order.lines[0].price)
            order.payment_status = "partially refunded"
            store._move(order, 14, "merchant", later, quiet=True)
    elif age > 40 and order.payment_status == "":
        order.payment_status = "captured"
        order.transactions.clear()
        store._move(order, 10, "merchant", later, quiet=True)
    assert order.total > Decimal("0")
