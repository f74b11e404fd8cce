/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "instance/rebuild.h"

#include <string.h>

#include "instance/keepsake.h"
#include "instance/reconcile.h"
#include "instance/workflows.h"

/* One domain after another; then one transaction for each, in which its instance appears
 * as one that is not known to run, and reconciliation brings it to what it is. */
typedef struct {
    InstanceBook *book;
    Host *host;
    /** ProtoDomain, owned. */
    GPtrArray *domains;
    guint next;
    guint made;
    GPtrArray *left;
    RebuildDone done;
    gpointer data;
} Rebuild;

static void ask_next(Rebuild *rebuild);

static void
domain_free(gpointer data)
{
    proto_domain_clear(data);
    g_free(data);
}

static void
finish(gpointer data)
{
    Rebuild *rebuild = data;

    rebuild->done(rebuild->made, rebuild->left, rebuild->data);
    g_ptr_array_unref(rebuild->domains);
    g_ptr_array_unref(rebuild->left);
    g_free(rebuild);
}

/* Whose it is must be what the domain itself says, and nobody else may have the name. */
static bool
check(const Rebuild *rebuild,
      const ProtoDomain *domain,
      const ProtoInstance *view,
      GError **error)
{
    if (strcmp(view->id, domain->id) != 0 || strcmp(view->tenant, domain->tenant) != 0 ||
        strcmp(view->name, domain->name) != 0) {
        proto_error_set_invalid_parameter(error, "keepsake.instance", "is of another",
                                          "its keepsake is of another domain");
        return false;
    }
    if (instance_get_by_name(rebuild->book, view->tenant, view->name) != NULL) {
        proto_error_set_already_exists(error, "instance", view->name,
                                       "another instance of %s has its name",
                                       view->tenant);
        return false;
    }
    return true;
}

static void
take_up(Rebuild *rebuild, const ProtoDomain *domain, ProtoKeepsake *keepsake)
{
    InstanceBook *book = rebuild->book;
    StoreTx *tx = store_begin(book->store);
    Instance *instance = g_new0(Instance, 1);
    ProtoInstance *view = &instance->record.view;
    ProtoCounterRecord adopted = { .adopted = true };

    if (keepsake->template != NULL)
        template_take_up(book->templates, tx, keepsake->template,
                         host_get_name(rebuild->host));
    tenant_ensure(book->tenants, tx, domain->tenant);
    proto_instance_record_copy(&keepsake->instance, &instance->record);
    adopted.instance = view->id;
    readings_keep(&instance->readings, &adopted);
    view->state = INSTANCE_STATE_ERROR;
    view->generation = domain->generation;
    view->desired =
        domain->state == DOMAIN_STATE_RUNNING || domain->state == DOMAIN_STATE_PAUSED
            ? INSTANCE_WISH_RUNNING
            : INSTANCE_WISH_STOPPED;
    g_free(view->host);
    view->host = g_strdup(host_get_name(rebuild->host));
    instance_add(book, instance);
    instance_put(instance, tx);
    store_commit(tx);
    reconcile_domain(book, view->host, domain);
    rebuild->made++;
}

static void
on_recalled(const void *out, bool continues, const GError *failure, gpointer data)
{
    Rebuild *rebuild = data;
    const ProtoDomain *domain = rebuild->domains->pdata[rebuild->next++];
    const ProtoWorkerRecallReply *reply = out;
    ProtoKeepsake keepsake = { 0 };
    g_autoptr(GError) error = failure != NULL ? g_error_copy(failure) : NULL;

    if (error == NULL && reply->keepsake == NULL)
        proto_error_set_not_found(&error, "keepsake", domain->id, "it has no keepsake");
    if (error == NULL && keepsake_read(reply->keepsake, &keepsake, &error) &&
        check(rebuild, domain, &keepsake.instance.view, &error)) {
        if (reply->has_disk_bytes)
            keepsake.instance.view.disk_bytes = reply->disk_bytes;
        take_up(rebuild, domain, &keepsake);
    } else {
        g_ptr_array_add(rebuild->left,
                        g_strdup_printf("%s (%s of %s): %s", domain->id, domain->name,
                                        domain->tenant, error->message));
    }
    proto_keepsake_clear(&keepsake);
    ask_next(rebuild);
}

static void
ask_next(Rebuild *rebuild)
{
    ProtoWorkerRecallCall in = { 0 };

    if (rebuild->next == rebuild->domains->len) {
        StoreTx *tx = store_begin(rebuild->book->store);

        store_on_commit(tx, finish, rebuild);
        store_commit(tx);
        return;
    }
    in.id = ((ProtoDomain *) rebuild->domains->pdata[rebuild->next])->id;
    host_call(rebuild->host, HOST_LANE_QUERY, &proto_worker_recall, &in,
              INSTANCE_QUICK_MS, on_recalled, rebuild);
}

void
rebuild_start(InstanceBook *book,
              Host *host,
              const ProtoDomain *domains,
              gsize n_domains,
              RebuildDone done,
              gpointer data)
{
    Rebuild *rebuild = g_new0(Rebuild, 1);

    rebuild->book = book;
    rebuild->host = host;
    rebuild->domains = g_ptr_array_new_with_free_func(domain_free);
    rebuild->left = g_ptr_array_new_with_free_func(g_free);
    rebuild->done = done;
    rebuild->data = data;
    for (gsize i = 0; i < n_domains; i++) {
        ProtoDomain *copy = NULL;

        if (instance_get(book, domains[i].id) != NULL)
            continue;
        copy = g_new0(ProtoDomain, 1);
        proto_domain_copy(&domains[i], copy);
        g_ptr_array_add(rebuild->domains, copy);
    }
    ask_next(rebuild);
}
