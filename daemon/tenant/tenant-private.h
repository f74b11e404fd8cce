/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenant/gate.h"
#include "tenant/rate.h"
#include "tenant/tenant.h"

/** Who holds something of tenants. */
typedef struct {
    TenantSum sum;
    gpointer owner;
} TenantHolder;

/** What the files of this folder share. */
struct TenantBook {
    Store *store;
    /** TenantHolder. */
    GArray *holders;
    Rates *rates;
    /** Of a tenant that has none of its own. */
    Quota limit;
    /** Name to ProtoTenantRecord, in order. */
    GTree *by_name;
    /** Rows that have members, in order of their names. */
    GList *with_members;
    /** The id of a token to the name of its tenant. */
    GHashTable *tokens;
    /** uid to name, as it was asked. */
    GHashTable *names;
};

/** The row, to be changed. */
ProtoTenantRecord *tenant_get_row(TenantBook *book, const char *name);

/** A new row, in the book and not yet in tx. */
ProtoTenantRecord *tenant_add_row(TenantBook *book, const char *name);

void tenant_put(TenantBook *book, StoreTx *tx, const ProtoTenantRecord *record);

/** The same of a change that actor made, with its event. */
void tenant_put_changed(TenantBook *book,
                        StoreTx *tx,
                        EventKind kind,
                        ProtoTenantRecord *record,
                        const char *detail,
                        const Actor *actor);

/** An event of the tenant's that actor brought about. */
void tenant_add_event(StoreTx *tx,
                      EventKind kind,
                      const ProtoTenantRecord *record,
                      const char *detail,
                      const Actor *actor);

/** The month of UTC that a time lies in, "2026-11"; free with g_free(). */
char *tenant_format_month(gint64 at_ms);

/** Keeps the list of rows with members: call after they changed. */
void member_index(TenantBook *book, ProtoTenantRecord *record);

/** A token that was read: a time of an earlier boot goes on by the wall clock. */
void token_restore(ProtoTokenRecord *token);
