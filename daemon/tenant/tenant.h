/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "model/quota.h"
#include "store/store.h"

/**
 * Who is billed, and what each may hold.  A uid owns the tenant "u<uid>"; uid 0 belongs
 * to "default".  A tenant has a row from its first use on; one that was removed keeps it,
 * so that its name, which the books know, is never another's.
 */
typedef struct TenantBook TenantBook;

/** Who asks for a change: a uid, and the id of the token that it asks with or NULL. */
typedef struct {
    gint64 uid;
    const char *token;
} Actor;

TenantBook *tenant_book_new(Store *store, const Quota *limit);
void tenant_book_free(TenantBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TenantBook, tenant_book_free)

bool tenant_book_load(TenantBook *book, GError **error);

/** The name of the tenant that a uid acts for.  Owned by book. */
const char *tenant_of_uid(TenantBook *book, gint64 uid);

/** Whether it is there, and was not removed. */
bool tenant_exists(TenantBook *book, const char *name);

/** Its row, also of one that was removed; NULL if it has none.  Owned by book. */
const ProtoTenantRecord *tenant_find(TenantBook *book, const char *name);

/** The row of the first tenant whose name comes after that one; "" is before all.  NULL:
 * there is none. */
const ProtoTenantRecord *tenant_find_after(TenantBook *book, const char *name);

/** Makes the tenant in tx if this is its first use. */
void tenant_ensure(TenantBook *book, StoreTx *tx, const char *name);

/** Fails with PROTO_ERROR_ILLEGAL_STATE if the tenant is disabled. */
bool tenant_check_enabled(TenantBook *book, const char *name, GError **error);

/** What it may hold at most. */
Quota tenant_get_limit(TenantBook *book, const char *name);

TenantState tenant_get_state(const ProtoTenantRecord *record);

/* Changes: each adds the row and an event to tx, or fails and adds nothing.  The name is
 * known to be good. */

/** Fails with PROTO_ERROR_ALREADY_EXISTS if there is or was one of that name, unless it
 * is just as asked. */
const ProtoTenantRecord *tenant_create(TenantBook *book,
                                       StoreTx *tx,
                                       const ProtoTenantCreateCall *in,
                                       const Actor *actor,
                                       GError **error);

/** These want a tenant that is there. */
void tenant_set(TenantBook *book,
                StoreTx *tx,
                const ProtoTenantSetCall *in,
                const Actor *actor);
void tenant_disable(TenantBook *book,
                    StoreTx *tx,
                    const char *name,
                    const char *reason,
                    const Actor *actor);
void tenant_enable(TenantBook *book, StoreTx *tx, const char *name, const Actor *actor);

/** The caller has seen to it that it owns nothing. */
void tenant_remove(TenantBook *book, StoreTx *tx, const char *name, const Actor *actor);
