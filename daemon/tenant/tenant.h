/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/quota.h"
#include "store/store.h"

/**
 * Who is billed, and what each may hold.  A uid owns the tenant "u<uid>"; uid 0 belongs
 * to "default".
 */
typedef struct TenantBook TenantBook;

TenantBook *tenant_book_new(Store *store, const Quota *limit);
void tenant_book_free(TenantBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TenantBook, tenant_book_free)

bool tenant_book_load(TenantBook *book, GError **error);

/** The name of the tenant that a uid acts for.  Owned by book. */
const char *tenant_of_uid(TenantBook *book, gint64 uid);

bool tenant_exists(TenantBook *book, const char *name);

/** Makes the tenant in tx if this is its first use. */
void tenant_ensure(TenantBook *book, StoreTx *tx, const char *name, gint64 uid);

/** What it may hold at most. */
Quota tenant_get_limit(TenantBook *book, const char *name);
