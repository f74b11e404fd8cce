/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenant/tenant.h"

/**
 * What was used by a tenant and is on no invoice yet, by months: vmd-meter bills, and
 * seals a month when all its invoices are there.
 */

/** Something of the tenant's, which has a row, is on its bill up to now and ends. */
void unbilled_add(TenantBook *book, StoreTx *tx, const char *tenant);

/** The month and all before it, "2026-11", are sealed; what is no month changes nothing.
 * Who is in unpriced, which may be NULL, used something of it that is on no invoice
 * before those of the next month. */
void unbilled_seal(TenantBook *book,
                   StoreTx *tx,
                   const char *month,
                   const char *const *unpriced);

/** Fails with PROTO_ERROR_ILLEGAL_STATE if there is something. */
bool unbilled_check(TenantBook *book, const char *tenant, GError **error);
