# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of FinOps FOCUS 1.2 to 1.4 for a "Cost and Usage" file, made from the specification; shares no code with what writes it.

`check(version, data)` names every rule that is broken; BREAKS has, for each rule, a change that breaks it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from decimal import Context, Decimal
from typing import Callable, Iterator

Row = dict[str, str]
EXACT = Context(prec=80)
VERSIONS = ("1.2", "1.3", "1.4")
TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(E-?[0-9]+)?")
SIZES = {"b", "B"} | {f"{prefix}{unit}" for prefix in "KMGTPE" for unit in ("b", "B", "ib", "iB")}
TIMES = {"Second", "Minute", "Hour", "Day", "Week", "Month", "Year"}
NOUN = r"[A-Z][A-Za-z]*"
PLACES = {"EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KRW": 0, "KWD": 3, "BHD": 3}

MANDATORY = [
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ServiceCategory", "ServiceName",
]  # fmt: skip
# What we claim to have: unit prices, a price list, negotiated prices, usage, resources, regions, tags, sub-accounts.
CONDITIONAL = [
    "AvailabilityZone", "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId",
    "ListUnitPrice", "PricingCategory", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "Tags",
]  # fmt: skip
OF_VERSION = {
    "1.2": ["ProviderName", "PublisherName"],
    "1.3": ["ProviderName", "PublisherName", "HostProviderName", "ServiceProviderName"],
    "1.4": ["HostProviderName", "ServiceProviderName", "InvoiceDetailId"],
}
NOT_NULL = [
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "ProviderName", "PublisherName", "HostProviderName", "ServiceProviderName",
]  # fmt: skip
OF_USAGE = [
    "SkuId", "SkuPriceId", "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit", "PricingCategory",
    "ConsumedQuantity", "ConsumedUnit",
]  # fmt: skip
COSTS = ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"]
PRICES = ["ContractedUnitPrice", "ListUnitPrice"]
NUMBERS = [*COSTS, *PRICES, "ConsumedQuantity", "PricingQuantity"]
DATES = ["BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart"]
JSONS = ["SkuPriceDetails", "Tags"]
VALUES = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
}
SUBCATEGORIES = {
    "Compute": {"Containers", "End User Computing", "Quantum Compute", "Serverless Compute", "Virtual Machines", "Other (Compute)"},
    "Storage": {"Backup Storage", "Block Storage", "File Storage", "Object Storage", "Storage Platforms", "Other (Storage)"},
    "Networking": {
        "Application Networking", "Content Delivery", "Network Connectivity", "Network Infrastructure", "Network Routing",
        "Network Security", "Other (Networking)",
    },
    "Other": {"Other (Other)"},
}  # fmt: skip
DETAILS = {
    "CoreCount", "DiskMaxIops", "DiskSpace", "DiskType", "GpuCount", "InstanceType", "InstanceSeries", "MemorySize",
    "NetworkMaxIops", "NetworkMaxThroughput", "OperatingSystem", "Redundancy", "StorageClass",
}  # fmt: skip
# A null goes with a null.
TOGETHER = {
    "ConsumedUnit": "ConsumedQuantity",
    "PricingUnit": "PricingQuantity",
    "RegionName": "RegionId",
    "ResourceType": "ResourceId",
    "SkuMeter": "SkuId",
    "SubAccountName": "SubAccountId",
}


class File:
    """A file as it was read."""

    def __init__(self, version: str, data: bytes) -> None:
        self.version = version
        self.data = data
        self.text = data.decode("utf-8", errors="replace")
        table = list(csv.reader(io.StringIO(self.text, newline="")))
        self.header = table[0] if table else []
        self.table = table[1:]
        self.rows: list[Row] = [dict(zip(self.header, line)) for line in self.table]

    def usage(self) -> Iterator[Row]:
        """Usage that corrects nothing."""
        return (row for row in self.rows if row.get("ChargeCategory") == "Usage" and not row.get("ChargeClass"))

    def numbers(self, columns: list[str]) -> Iterator[tuple[Row, str, Decimal]]:
        for row in self.rows:
            for column in columns:
                if NUMBER.fullmatch(row.get(column, "")):
                    yield row, column, Decimal(row[column])


def number(row: Row, column: str) -> Decimal | None:
    return Decimal(row[column]) if NUMBER.fullmatch(row.get(column, "")) else None


# The file


def is_utf8_without_a_mark(file: File) -> bool:
    return not file.data.startswith(b"\xef\xbb\xbf") and "\ufffd" not in file.text


def ends_lines_with_crlf(file: File) -> bool:
    return file.text.endswith("\r\n") and file.text.count("\n") == file.text.count("\r\n")


def quotes_what_has_to_be_and_no_null(file: File) -> bool:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([file.header, *file.table])
    return out.getvalue() == file.text.replace("\r\n", "\n").replace("\n", "\r\n")


def has_as_many_fields_as_columns(file: File) -> bool:
    return all(len(line) == len(file.header) for line in file.table)


# Columns


def has_the_columns_of_its_version(file: File) -> bool:
    return set(MANDATORY + CONDITIONAL + OF_VERSION[file.version]) <= set(file.header)


def has_no_column_that_is_not_of_its_version(file: File) -> bool:
    known = set(MANDATORY + CONDITIONAL + OF_VERSION[file.version])
    return all(name in known or name.startswith("x_") for name in file.header)


def names_columns_as_it_has_to(file: File) -> bool:
    return all(re.fullmatch(r"(x_)?[A-Z][A-Za-z0-9]{0,47}", name) for name in file.header)


def has_each_column_once(file: File) -> bool:
    return len(set(file.header)) == len(file.header)


def has_its_own_columns_last(file: File) -> bool:
    own = [name.startswith("x_") for name in file.header]
    return own == sorted(own)


# Values


def has_no_null_where_none_may_be(file: File) -> bool:
    return all(row[name] != "" for row in file.rows for name in NOT_NULL if name in row)


def has_no_word_for_null(file: File) -> bool:
    return all(value.strip().upper() not in ("NULL", "N/A", "NA", "NONE", "NIL", "-") for line in file.table for value in line)


def writes_times_as_it_has_to(file: File) -> bool:
    return all(TIME.fullmatch(row[name]) for row in file.rows for name in DATES if row.get(name))


def writes_numbers_as_it_has_to(file: File) -> bool:
    return all(NUMBER.fullmatch(row[name]) for row in file.rows for name in NUMBERS if row.get(name))


def writes_numbers_with_a_point(file: File) -> bool:
    return all("." in row[name] for row in file.rows for name in NUMBERS if row.get(name))


def has_no_price_below_zero(file: File) -> bool:
    return all(value >= 0 for _, _, value in file.numbers(PRICES))


def has_a_currency_of_iso_4217(file: File) -> bool:
    return all(row.get("BillingCurrency", "") in PLACES for row in file.rows)


def is_key_value(text: str) -> bool:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError:
        return False
    return (
        text.startswith("{")
        and len({key for key, _ in pairs}) == len(pairs)
        and all(value is None or isinstance(value, (str, int, float, bool)) for _, value in pairs)
    )


def writes_key_values_flat_and_each_key_once(file: File) -> bool:
    return all(is_key_value(row[name]) for row in file.rows for name in JSONS if row.get(name))


def details_prices_in_known_words(file: File) -> bool:
    return all(
        key in DETAILS or re.fullmatch(r"x_[A-Z]\w*", key)
        for row in file.rows
        if row.get("SkuPriceDetails") and is_key_value(row["SkuPriceDetails"])
        for key in json.loads(row["SkuPriceDetails"])
    )


def is_unit(text: str) -> bool:
    times = "|".join(sorted(TIMES))
    sizes = "|".join(sorted(SIZES))
    return any(
        re.fullmatch(pattern, text)
        for pattern in (
            rf"({sizes})",
            rf"({sizes}|{NOUN}[^s\W])-({times})s",
            rf"({sizes}|{NOUN}s)/({times})",
            rf"[0-9]+ ({sizes}|{NOUN}s)",
            rf"{NOUN}s",
        )
    )


def names_units_as_it_has_to(file: File) -> bool:
    return all(is_unit(row[name]) for row in file.rows for name in ("ConsumedUnit", "PricingUnit") if row.get(name))


def has_values_that_are_allowed(file: File) -> bool:
    return all(row[name] in allowed for row in file.rows for name, allowed in VALUES.items() if name in row)


def charges_no_purchase_by_usage(file: File) -> bool:
    return all(
        (row.get("ChargeCategory"), row.get("ChargeFrequency")) != ("Purchase", "Usage-Based") for row in file.rows
    )


def has_a_subcategory_of_its_category(file: File) -> bool:
    return all(
        row.get("ServiceSubcategory") in SUBCATEGORIES.get(row.get("ServiceCategory", ""), set()) for row in file.rows
    )


# Rows


def has_periods_that_end_after_they_begin(file: File) -> bool:
    return all(row[f"{of}PeriodStart"] < row[f"{of}PeriodEnd"] for row in file.rows for of in ("Billing", "Charge"))


def charges_within_its_billing_period(file: File) -> bool:
    return all(
        row["BillingPeriodStart"] <= row["ChargePeriodStart"] and row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        for row in file.rows
        if not row.get("ChargeClass")
    )


def corrects_only_what_was_billed_before(file: File) -> bool:
    return all(row["ChargePeriodEnd"] <= row["BillingPeriodStart"] for row in file.rows if row.get("ChargeClass"))


def has_all_that_usage_has(file: File) -> bool:
    return all(row.get(name) for row in file.usage() for name in OF_USAGE)


def consumes_only_as_usage(file: File) -> bool:
    return all(not row.get("ConsumedQuantity") for row in file.rows if row.get("ChargeCategory") != "Usage")


def has_nulls_that_go_together(file: File) -> bool:
    return all(
        (row.get(one, "") == "") == (row.get(other, "") == "") for row in file.rows for one, other in TOGETHER.items()
    )


def costs(file: File, cost: str, price: str) -> bool:
    """Whether price times quantity is the cost, exactly."""
    for row in file.usage():
        factors = number(row, price), number(row, "PricingQuantity")
        if None not in factors and number(row, cost) != EXACT.multiply(factors[0], factors[1]):  # type: ignore[arg-type]
            return False
    return True


def costs_what_was_agreed_on(file: File) -> bool:
    return costs(file, "ContractedCost", "ContractedUnitPrice")


def costs_what_is_on_the_list(file: File) -> bool:
    return costs(file, "ListCost", "ListUnitPrice")


def bills_what_was_agreed_on(file: File) -> bool:
    return all(number(row, "BilledCost") == number(row, "ContractedCost") for row in file.rows)


def is_effective_as_billed(file: File) -> bool:
    return all(number(row, "EffectiveCost") == number(row, "BilledCost") for row in file.rows)


def lists_what_has_no_price_as_billed(file: File) -> bool:
    return all(
        number(row, "ListCost") == number(row, "BilledCost") for row in file.rows if row.get("ListUnitPrice", "") == ""
    )


def names_a_resource_by_more_than_its_id(file: File) -> bool:
    return all(row.get("ResourceName", "") != row["ResourceId"] for row in file.rows if row.get("ResourceId"))


def details_no_price_without_a_sku(file: File) -> bool:
    return all(row.get("SkuId") for row in file.rows if row.get("SkuPriceDetails"))


# Across rows


def maps_to_one(file: File, one: str, others: tuple[str, ...]) -> bool:
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in file.rows:
        if row.get(one):
            found[row[one]].add(tuple(row.get(name, "") for name in others))
    return all(len(values) == 1 for values in found.values())


def has_one_category_a_service(file: File) -> bool:
    return maps_to_one(file, "ServiceName", ("ServiceCategory", "ServiceSubcategory"))


def has_one_sku_a_price(file: File) -> bool:
    return maps_to_one(file, "SkuPriceId", ("SkuId", "PricingUnit"))


def has_one_account_and_period_an_invoice(file: File) -> bool:
    return maps_to_one(
        file, "InvoiceId", ("BillingAccountId", "BillingPeriodStart", "BillingPeriodEnd", "BillingCurrency")
    )


def invoices_what_can_be_paid(file: File) -> bool:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in file.rows:
        if row.get("InvoiceId"):
            key = row["InvoiceId"], row.get("BillingCurrency", "")
            sums[key] = EXACT.add(sums[key], number(row, "BilledCost") or Decimal(0))
    return all(
        EXACT.multiply(total, Decimal(10) ** PLACES.get(currency, 2)) % 1 == 0 for (_, currency), total in sums.items()
    )


def rounds_an_invoice_once(file: File) -> bool:
    keys = ("InvoiceId", "BillingAccountId", "BillingPeriodStart")
    rounds = Counter(tuple(row.get(key, "") for key in keys) for row in file.rows if row.get("ChargeCategory") == "Adjustment")
    return all(count == 1 for count in rounds.values())


def puts_something_in_the_place_of_what_it_takes_back(file: File) -> bool:
    signs: Counter[tuple[str, ...]] = Counter()
    for row in file.rows:
        if row.get("ChargeClass"):
            key = tuple(row.get(name, "") for name in ("ResourceId", "SkuPriceId", "ChargePeriodStart"))
            signs[key] += -1 if (number(row, "PricingQuantity") or Decimal(0)) < 0 else 1
    return all(balance == 0 for balance in signs.values())


def has_a_part_of_its_invoice_where_it_has_one(file: File) -> bool:
    return all((row.get("InvoiceDetailId", "") == "") == (row.get("InvoiceId", "") == "") for row in file.rows)


def tells_parts_of_invoices_apart(file: File) -> bool:
    return maps_to_one(file, "InvoiceDetailId", ("InvoiceId", "SkuPriceId", "ChargeCategory"))


def counts_nothing_twice(file: File) -> bool:
    keys = ("ResourceId", "SkuPriceId", "ChargePeriodStart", "ContractedUnitPrice", "x_MeterId", "x_LedgerSeqFirst")
    found = Counter(tuple(row.get(key, "") for key in keys) for row in file.usage())
    return all(count == 1 for count in found.values())


ALWAYS: list[Callable[[File], bool]] = [
    is_utf8_without_a_mark, ends_lines_with_crlf, quotes_what_has_to_be_and_no_null, has_as_many_fields_as_columns,
    has_the_columns_of_its_version, has_no_column_that_is_not_of_its_version, names_columns_as_it_has_to,
    has_each_column_once, has_its_own_columns_last, has_no_null_where_none_may_be, has_no_word_for_null,
    writes_times_as_it_has_to, writes_numbers_as_it_has_to, writes_numbers_with_a_point, has_no_price_below_zero,
    has_a_currency_of_iso_4217, writes_key_values_flat_and_each_key_once, details_prices_in_known_words,
    names_units_as_it_has_to, has_values_that_are_allowed, charges_no_purchase_by_usage,
    has_a_subcategory_of_its_category, has_periods_that_end_after_they_begin, charges_within_its_billing_period,
    corrects_only_what_was_billed_before, has_all_that_usage_has, consumes_only_as_usage, has_nulls_that_go_together,
    costs_what_was_agreed_on, costs_what_is_on_the_list, bills_what_was_agreed_on, is_effective_as_billed,
    lists_what_has_no_price_as_billed, names_a_resource_by_more_than_its_id, details_no_price_without_a_sku,
    has_one_category_a_service, has_one_sku_a_price, has_one_account_and_period_an_invoice, invoices_what_can_be_paid,
    rounds_an_invoice_once, puts_something_in_the_place_of_what_it_takes_back, counts_nothing_twice,
]  # fmt: skip
RULES: dict[str, list[Callable[[File], bool]]] = {
    "1.2": ALWAYS,
    "1.3": ALWAYS,
    "1.4": [*ALWAYS, has_a_part_of_its_invoice_where_it_has_one, tells_parts_of_invoices_apart],
}


def check(version: str, data: bytes) -> list[str]:
    """The rules that the file breaks."""
    file = File(version, data)
    return [rule.__name__ for rule in RULES[version] if not rule(file)]


def check_metadata(version: str, text: str, data: bytes) -> list[str]:
    """What is wrong with the description of a file."""
    schema = json.loads(text)["Schema"]
    columns = schema["ColumnDefinition"]
    types = {**dict.fromkeys(NUMBERS, "DECIMAL"), **dict.fromkeys(DATES, "DATETIME"), **dict.fromkeys(JSONS, "JSON")}
    faults = []
    if [column["ColumnName"] for column in columns] != File(version, data).header:
        faults.append("it has other columns")
    if schema["FocusVersion"] != version:
        faults.append("it is of another version")
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", schema["SchemaId"]):
        faults.append("its id is none")
    if not TIME.fullmatch(schema["CreationDate"]):
        faults.append("its date is none")
    for column in columns:
        name = column["ColumnName"]
        if not name.startswith("x_") and column["DataType"] != types.get(name, "STRING"):
            faults.append(f"{name} is {column['DataType']}")
        if column["DataType"] == "DECIMAL" and not {"NumericPrecision", "NumberScale"} <= set(column):
            faults.append(f"{name} has no precision")
    return faults


# What breaks a rule: a change of the first row that has these values, or of the whole file.

Find = dict[str, str]
USAGE: Find = {"ChargeCategory": "Usage", "ChargeClass": "", "SkuId": "vcpu.alloc"}
ROUNDING: Find = {"ChargeCategory": "Adjustment"}
CORRECTION: Find = {"ChargeClass": "Correction"}


def print_file(header: list[str], rows: list[Row]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([header, *[[row.get(name, "") for name in header] for row in rows]])
    return out.getvalue().encode()


def change(data: bytes, find: Find, to: Row) -> bytes:
    file = File("1.4", data)
    row = next(row for row in file.rows if all(row[key] == value for key, value in find.items()))
    row.update(to)
    return print_file(file.header, file.rows)


def part_of(data: bytes, find: Find) -> str:
    rows = File("1.4", data).rows
    return next(row["InvoiceDetailId"] for row in rows if all(row[key] == value for key, value in find.items()))


def repeat(data: bytes, find: Find) -> bytes:
    file = File("1.4", data)
    row = next(row for row in file.rows if all(row[key] == value for key, value in find.items()))
    return print_file(file.header, [*file.rows, row])


def rename(data: bytes, before: str, after: str) -> bytes:
    first, rest = data.split(b"\r\n", 1)
    names = [after if name == before else name for name in first.decode().split(",")]
    return ",".join(names).encode() + b"\r\n" + rest


def drop_column(data: bytes, name: str) -> bytes:
    file = File("1.4", data)
    return print_file([column for column in file.header if column != name], file.rows)


def add_column(data: bytes, name: str, *, first: bool = False) -> bytes:
    file = File("1.4", data)
    return print_file([name, *file.header] if first else [*file.header, name], file.rows)


BREAKS: dict[str, Callable[[bytes], bytes]] = {
    "is_utf8_without_a_mark": lambda data: b"\xef\xbb\xbf" + data,
    "ends_lines_with_crlf": lambda data: data.replace(b"\r\n", b"\n", 2),
    "quotes_what_has_to_be_and_no_null": lambda data: data.replace(b"\r\n,", b'\r\n"",', 1),
    "has_as_many_fields_as_columns": lambda data: data[:-2] + b",1\r\n",
    "has_the_columns_of_its_version": lambda data: drop_column(data, "SkuMeter"),
    "has_no_column_that_is_not_of_its_version": lambda data: add_column(data, "PrincipalId"),
    "names_columns_as_it_has_to": lambda data: add_column(data, "x_not_so"),
    "has_each_column_once": lambda data: add_column(data, "x_MeterId"),
    "has_its_own_columns_last": lambda data: add_column(data, "x_First", first=True),
    "has_no_null_where_none_may_be": lambda data: change(data, USAGE, {"ServiceSubcategory": ""}),
    "has_no_word_for_null": lambda data: change(data, USAGE, {"ResourceName": "NULL"}),
    "writes_times_as_it_has_to": lambda data: change(data, USAGE, {"ChargePeriodStart": "2026-10-06T00:00:00.000Z"}),
    "writes_numbers_as_it_has_to": lambda data: change(data, USAGE, {"ListCost": "1,000.5"}),
    "writes_numbers_with_a_point": lambda data: change(data, USAGE, {"ListUnitPrice": "1"}),
    "has_no_price_below_zero": lambda data: change(data, USAGE, {"ListUnitPrice": "-0.004"}),
    "has_a_currency_of_iso_4217": lambda data: change(data, USAGE, {"BillingCurrency": "Euro"}),
    "writes_key_values_flat_and_each_key_once": lambda data: change(data, USAGE, {"Tags": '{"a":"1","a":"2"}'}),
    "details_prices_in_known_words": lambda data: change(data, USAGE, {"SkuPriceDetails": '{"Cores":1}'}),
    "names_units_as_it_has_to": lambda data: change(data, USAGE, {"PricingUnit": "core hours"}),
    "has_values_that_are_allowed": lambda data: change(data, USAGE, {"PricingCategory": "On-Demand"}),
    "charges_no_purchase_by_usage": lambda data: change(data, USAGE, {"ChargeCategory": "Purchase"}),
    "has_a_subcategory_of_its_category": lambda data: change(data, USAGE, {"ServiceSubcategory": "Block Storage"}),
    "has_periods_that_end_after_they_begin": lambda data: change(data, USAGE, {"ChargePeriodEnd": "2026-10-06T00:00:00Z"}),
    "charges_within_its_billing_period": lambda data: change(data, USAGE, {"ChargePeriodEnd": "2026-11-02T00:00:00Z"}),
    "corrects_only_what_was_billed_before": lambda data: change(data, USAGE, {"ChargeClass": "Correction"}),
    "has_all_that_usage_has": lambda data: change(data, USAGE, {"ListUnitPrice": ""}),
    "consumes_only_as_usage": lambda data: change(data, ROUNDING, {"ConsumedQuantity": "1.0"}),
    "has_nulls_that_go_together": lambda data: change(data, USAGE, {"SkuMeter": ""}),
    "costs_what_was_agreed_on": lambda data: change(data, USAGE, {"ContractedCost": "0.1920000000000000000000001"}),
    "costs_what_is_on_the_list": lambda data: change(data, USAGE, {"ListCost": "0.191"}),
    "bills_what_was_agreed_on": lambda data: change(data, USAGE, {"BilledCost": "0.2"}),
    "is_effective_as_billed": lambda data: change(data, ROUNDING, {"EffectiveCost": "0.5"}),
    "lists_what_has_no_price_as_billed": lambda data: change(data, ROUNDING, {"ListCost": "0.5"}),
    "names_a_resource_by_more_than_its_id": lambda data: change(
        data, USAGE, {"ResourceName": "urn:vmctl:vm:8a1c0f0e-3a55-4f0e-9a51-0c8d1b6d7f11"}
    ),
    "details_no_price_without_a_sku": lambda data: change(data, ROUNDING, {"SkuPriceDetails": '{"CoreCount":1}'}),
    "has_one_category_a_service": lambda data: change(data, USAGE, {"ServiceName": "Block Volumes"}),
    "has_one_sku_a_price": lambda data: change(data, USAGE, {"SkuPriceId": "memory.alloc"}),
    "has_one_account_and_period_an_invoice": lambda data: change(data, USAGE, {"BillingAccountId": "zeta"}),
    "invoices_what_can_be_paid": lambda data: change(data, ROUNDING, {"BilledCost": "0.001"}),
    "rounds_an_invoice_once": lambda data: repeat(data, ROUNDING),
    "puts_something_in_the_place_of_what_it_takes_back": lambda data: repeat(data, CORRECTION),
    "counts_nothing_twice": lambda data: repeat(data, USAGE),
    "has_a_part_of_its_invoice_where_it_has_one": lambda data: change(data, USAGE, {"InvoiceDetailId": ""}),
    "tells_parts_of_invoices_apart": lambda data: change(data, USAGE, {"InvoiceDetailId": part_of(data, ROUNDING)}),
}
