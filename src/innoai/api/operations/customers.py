"""/v1/customers: the account's own end customers."""

from __future__ import annotations

from innoai.api import customers, objects
from innoai.api.operations.operation import CUSTOMER_ID, Operation, json
from innoai.events.types import CUSTOMER

SHOWN_CUSTOMER = {**CUSTOMER, "customer_id": CUSTOMER_ID}

CUSTOMERS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/customers",
        "create_customer",
        "customers",
        "Create a customer",
        json(objects.Customer, SHOWN_CUSTOMER),
        status=201,
        body=json(
            customers.CreateCustomer,
            {"customer_id": CUSTOMER_ID, "name": "Acme", "metadata": {"plan": "gold"}},
        ),
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/v1/customers",
        "list_customers",
        "customers",
        "List customers, newest first",
        json(customers.CustomerPage, {"object": "list", "data": [SHOWN_CUSTOMER], "next_cursor": None}),
        query=customers.CustomerQuery,
        query_example={"limit": 20},
    ),
    Operation(
        "GET",
        "/v1/customers/{customer_id}",
        "get_customer",
        "customers",
        "Show one customer",
        json(objects.Customer, SHOWN_CUSTOMER),
    ),
    Operation(
        "PATCH",
        "/v1/customers/{customer_id}",
        "change_customer",
        "customers",
        "Change a customer; once disabled, its keys and tokens are refused",
        json(objects.Customer, {**SHOWN_CUSTOMER, "name": "Acme Ltd"}),
        body=json(customers.ChangeCustomer, {"name": "Acme Ltd"}),
    ),
    Operation(
        "DELETE",
        "/v1/customers/{customer_id}",
        "delete_customer",
        "customers",
        "Delete a customer; its keys and tokens end with it",
        None,
        status=204,
    ),
)
