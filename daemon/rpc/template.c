/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "template/template.h"

#include "rpc/identity.h"
#include "rpc/rpc.h"

static void
count_instances_of(const BookTenant *tenant, GHashTable *counts)
{
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, tenant->instances);
    while (g_hash_table_iter_next(&iter, &instance, NULL)) {
        char *template = ((Instance *) instance)->record.template_id;
        guint count = GPOINTER_TO_UINT(g_hash_table_lookup(counts, template));

        g_hash_table_replace(counts, template, GUINT_TO_POINTER(count + 1));
    }
}

/* Template to how many instances the caller sees of it; NULL if that is all. */
static GHashTable *
count_instances(WireCall *call)
{
    GHashTable *counts = NULL;
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer tenant = NULL;

    if (rpc_is_admin(call))
        return NULL;
    counts = g_hash_table_new(g_str_hash, g_str_equal);
    g_hash_table_iter_init(&iter, rpc_of(call)->instances->by_tenant);
    while (g_hash_table_iter_next(&iter, &name, &tenant)) {
        if (identity_may_see(call, name) && identity_check(call, name, NULL))
            count_instances_of(tenant, counts);
    }
    return counts;
}

/* counts is NULL for an admin, who alone is told of hosts; hosts takes what is shown of
 * them, to be released after the reply. */
static ProtoTemplate
show(const Template *template, GHashTable *counts, GPtrArray *hosts)
{
    ProtoTemplate shown = template->record.view;

    if (counts != NULL) {
        shown.instances = GPOINTER_TO_UINT(g_hash_table_lookup(counts, shown.id));
        return shown;
    }
    shown.instances = template->n_instances;
    shown.hosts = template_list_hosts(template);
    g_ptr_array_add(hosts, shown.hosts);
    return shown;
}

static void
list(WireCall *call, const ProtoTemplateListCall *in)
{
    guint limit = rpc_get_limit(in->has_limit, in->limit);
    g_autoptr(GPtrArray) page = template_list(rpc_of(call)->templates, in->after, limit);
    g_autofree ProtoTemplate *rows = g_new0(ProtoTemplate, limit);
    g_autoptr(GHashTable) counts = count_instances(call);
    g_autoptr(GPtrArray) hosts = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *last = NULL;
    ProtoTemplateListReply reply = { .templates = rows, .n_templates = page->len };

    for (guint i = 0; i < page->len; i++) {
        rows[i] = show(page->pdata[i], counts, hosts);
    }
    if (page->len == limit)
        reply.next = last = template_get_title(page->pdata[limit - 1]);
    wire_call_reply(call, &reply);
}

static void
get(WireCall *call, const ProtoTemplateGetCall *in)
{
    GError *error = NULL;
    Template *template = template_find(rpc_of(call)->templates, in->template, &error);
    g_autoptr(GHashTable) counts = NULL;
    g_autoptr(GPtrArray) hosts = g_ptr_array_new_with_free_func(g_free);
    ProtoTemplateGetReply reply = { 0 };

    if (template == NULL) {
        wire_call_fail(call, error);
        return;
    }
    counts = count_instances(call);
    reply.template = show(template, counts, hosts);
    wire_call_reply(call, &reply);
}

static bool
try_import(WireCall *call, const ProtoTemplateImportCall *in, GError **error)
{
    Rpc *rpc = rpc_of(call);
    g_auto(Change) change = { 0 };
    GPtrArray *repeated = NULL;
    Operation *operation = NULL;
    StoreTx *tx = NULL;

    if (!rpc_change_init(call, in, in->request_id, identity_get_home(call), &change,
                         &repeated, error))
        return false;
    if (rpc_reply_repeat(call, repeated))
        return true;
    tx = store_begin(rpc->store);
    operation = template_import(rpc->templates, tx, in->source, &change.request, error);
    if (operation == NULL) {
        store_commit(tx);
        return false;
    }
    rpc_reply_operation(call, tx, operation);
    return true;
}

static void
import(WireCall *call, const ProtoTemplateImportCall *in)
{
    GError *error = NULL;

    if (!try_import(call, in, &error))
        wire_call_fail(call, error);
}

static bool
try_remove(WireCall *call, const ProtoTemplateRemoveCall *in, GError **error)
{
    Rpc *rpc = rpc_of(call);
    g_auto(Change) change = { 0 };
    GPtrArray *repeated = NULL;
    Template *template = NULL;
    Operation *operation = NULL;
    StoreTx *tx = NULL;

    if (!rpc_change_init(call, in, in->request_id, identity_get_home(call), &change,
                         &repeated, error))
        return false;
    if (rpc_reply_repeat(call, repeated))
        return true;
    template = template_find(rpc->templates, in->template, error);
    if (template == NULL)
        return false;
    tx = store_begin(rpc->store);
    operation = template_remove(rpc->templates, tx, template, &change.request, error);
    if (operation == NULL) {
        store_commit(tx);
        return false;
    }
    rpc_reply_operation(call, tx, operation);
    return true;
}

static void
remove_template(WireCall *call, const ProtoTemplateRemoveCall *in)
{
    GError *error = NULL;

    if (!try_remove(call, in, &error))
        wire_call_fail(call, error);
}

const ProtoTemplateHandlers rpc_template_handlers = {
    .list = list,
    .get = get,
    .import = import,
    .remove = remove_template,
};
