/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "op/admission.h"
#include "tenant/tenant.h"

/**
 * The gate that every operation passes: its tenant is enabled and has a budget left, if
 * it has one at all, and what it takes fits beside what is there.  What is there is
 * asked each time of whoever holds it: the gate counts nothing of its own.
 */

/** Adds what owner holds of the tenant's to sum. */
typedef void (*TenantSum)(gpointer owner, const char *tenant, Quota *sum);

/** One more that holds something of tenants. */
void tenant_book_add_holder(TenantBook *book, TenantSum sum, gpointer owner);

/** Holds the operations of engine to the tenants of book. */
void tenant_book_guard(TenantBook *book, OperationEngine *engine);

/** What the tenant has, and what is under way. */
Quota tenant_get_use(TenantBook *book, const char *tenant);
