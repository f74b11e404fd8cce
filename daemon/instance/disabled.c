/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/disabled.h"

#include "base/clock.h"
#include "model/budget.h"
#include "op/admission.h"

enum {
    LOOK_SECONDS = 5,
    GRACE_MS = 120000
};

/* Since when its instances are to be off; 0: they are not. */
static gint64
get_stop_ms(const ProtoTenantRecord *tenant)
{
    bool keeps = tenant->has_when_disabled && tenant->when_disabled == WHEN_DISABLED_KEEP;

    if (tenant->has_disabled_ms && !keeps)
        return tenant->disabled_ms;
    return tenant->budget != NULL ? budget_get_stop_ms(tenant->budget) : 0;
}

static bool
may_be_stopped(const Instance *instance)
{
    return instance_is_on(instance) &&
           operation_find_active(instance->book->engine, instance->record.view.id) ==
               NULL;
}

static void
stop(Instance *instance, StoreTx *tx, const ProtoTenantRecord *tenant)
{
    const OperationRequest request = {
        .kind = OPERATION_KIND_INSTANCE_STOP,
        .tenant = tenant->name,
        .by_admin = true,
        .target = instance->record.view.id,
        .target_name = instance->record.view.name,
        .force = clock_wall_ms() - get_stop_ms(tenant) > GRACE_MS,
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(Admission) admission =
        admission_ask(instance->book->engine, &request, 1, &error);
    Operation *operation = NULL;

    if (admission == NULL) {
        g_warning("Stopping %s: %s", request.target_name, error->message);
        return;
    }
    operation = operation_admit(admission, tx, &request);
    instance->record.view.operation = g_strdup(operation->record.view.id);
    instance_put(instance, tx);
}

static void
stop_all(InstanceBook *book, StoreTx *tx, const ProtoTenantRecord *tenant)
{
    const BookTenant *found = instance_book_get_tenant(book, tenant->name);
    GHashTableIter iter;
    gpointer instance = NULL;

    if (found == NULL)
        return;
    g_hash_table_iter_init(&iter, found->instances);
    while (g_hash_table_iter_next(&iter, &instance, NULL)) {
        if (may_be_stopped(instance))
            stop(instance, tx, tenant);
    }
}

void
disabled_look(InstanceBook *book)
{
    const ProtoTenantRecord *tenant = tenant_find_after(book->tenants, "");
    StoreTx *tx = store_begin(book->store);

    for (; tenant != NULL; tenant = tenant_find_after(book->tenants, tenant->name)) {
        if (get_stop_ms(tenant) != 0)
            stop_all(book, tx, tenant);
    }
    store_commit(tx);
}

static gboolean
on_time(gpointer data)
{
    disabled_look(data);
    return G_SOURCE_CONTINUE;
}

void
disabled_start(InstanceBook *book)
{
    book->disabled_source = g_timeout_add_seconds(LOOK_SECONDS, on_time, book);
}

void
disabled_stop(InstanceBook *book)
{
    g_clear_handle_id(&book->disabled_source, g_source_remove);
}
