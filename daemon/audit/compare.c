/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/compare.h"

#include <string.h>

#include "audit/findings.h"
#include "audit/inventory.h"
#include "instance/hosts.h"

/** The kinds of objects that an id has on a host, as bits, by id; of each host that told,
 * by name. */
static GHashTable *
index_objects(const GPtrArray *inventories)
{
    GHashTable *hosts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                              (GDestroyNotify) g_hash_table_unref);

    for (guint i = 0; i < inventories->len; i++) {
        const Inventory *inventory = inventories->pdata[i];
        GHashTable *held = g_hash_table_new(g_str_hash, g_str_equal);

        for (guint j = 0; j < inventory->objects->len; j++) {
            const ProtoHeld *object = &g_array_index(inventory->objects, ProtoHeld, j);
            guint bits = GPOINTER_TO_UINT(g_hash_table_lookup(held, object->id));

            g_hash_table_insert(held, object->id,
                                GUINT_TO_POINTER(bits | 1U << object->kind));
        }
        if (inventory->error == NULL)
            g_hash_table_insert(hosts, (gpointer) (gsize) inventory->host,
                                g_hash_table_ref(held));
        g_hash_table_unref(held);
    }
    return hosts;
}

/* hosts: of index_objects().  Of a host that did not tell nothing is said. */
static void
check_held(GHashTable *hosts,
           const char *host,
           const char *id,
           const char *name,
           const HeldKind *kinds,
           gsize n_kinds,
           GPtrArray *findings)
{
    GHashTable *held = host != NULL ? g_hash_table_lookup(hosts, host) : NULL;
    guint bits =
        held != NULL ? GPOINTER_TO_UINT(g_hash_table_lookup(held, id)) : G_MAXUINT;

    for (gsize i = 0; i < n_kinds; i++) {
        if ((bits & 1U << kinds[i]) == 0)
            findings_add_object(findings, FINDING_KIND_MISSING, host, kinds[i], id, name,
                                "it is not on the host");
    }
}

static bool
is_at_rest(InstanceState state)
{
    return state == INSTANCE_STATE_RUNNING || state == INSTANCE_STATE_PAUSED ||
           state == INSTANCE_STATE_STOPPED;
}

static void
check_instance(const Instance *instance, GHashTable *hosts, GPtrArray *findings)
{
    static const HeldKind kinds[] = { HELD_KIND_DOMAIN, HELD_KIND_DISK, HELD_KIND_SEED };
    const ProtoInstance *view = &instance->record.view;

    if (view->operation != NULL)
        findings_add(findings, FINDING_KIND_STUCK, view->id, view->name,
                     "it waits for operation %s, which is not there", view->operation);
    if (instance_get_host(instance) == NULL)
        findings_add(findings, FINDING_KIND_UNCHECKED, view->id, view->name,
                     "its host %s is not there any more", view->host);
    if (!is_at_rest(view->state)) {
        if (view->state != INSTANCE_STATE_ERROR)
            findings_add(findings, FINDING_KIND_STUCK, view->id, view->name,
                         "it is %s, and no operation works on it",
                         instance_state_to_string(view->state));
        return;
    }
    check_held(hosts, view->host, view->id, view->name, kinds, G_N_ELEMENTS(kinds),
               findings);
}

void
compare_instances(InstanceBook *book, const GPtrArray *inventories, GPtrArray *findings)
{
    g_autoptr(GHashTable) hosts = index_objects(inventories);
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        if (operation_find_active(book->engine,
                                  ((Instance *) instance)->record.view.id) == NULL)
            check_instance(instance, hosts, findings);
    }
}

static void
check_copies(const Template *template, GHashTable *hosts, GPtrArray *findings)
{
    static const HeldKind kinds[] = { HELD_KIND_TEMPLATE };
    const ProtoTemplateRecord *record = &template->record;

    for (gsize i = 0; i < record->n_copies; i++) {
        if (record->copies[i].ready)
            check_held(hosts, record->copies[i].host, record->view.id, record->view.name,
                       kinds, G_N_ELEMENTS(kinds), findings);
    }
}

void
compare_templates(TemplateBook *book,
                  OperationEngine *engine,
                  const GPtrArray *inventories,
                  GPtrArray *findings)
{
    g_autoptr(GPtrArray) all = template_list(book, NULL, G_MAXUINT);
    g_autoptr(GHashTable) hosts = index_objects(inventories);

    for (guint i = 0; i < all->len; i++) {
        const ProtoTemplate *view = &((Template *) all->pdata[i])->record.view;

        if (operation_find_active(engine, view->id) != NULL)
            continue;
        if (view->state == TEMPLATE_STATE_BROKEN)
            continue;
        if (view->state != TEMPLATE_STATE_READY)
            findings_add(findings, FINDING_KIND_STUCK, view->id, view->name,
                         "it is %s, and no operation works on it",
                         template_state_to_string(view->state));
        else
            check_copies(all->pdata[i], hosts, findings);
    }
}

static void
check_owner(InstanceBook *instances,
            TemplateBook *templates,
            const char *host,
            const ProtoHeld *object,
            GPtrArray *findings)
{
    const Instance *instance = instance_get(instances, object->id);
    bool is_template = object->kind == HELD_KIND_TEMPLATE;
    g_autofree char *detail = NULL;

    if (operation_find_active(instances->engine, object->id) != NULL ||
        (is_template && template_get(templates, object->id) != NULL) ||
        (!is_template && instance != NULL && instance_is_on_host(instance, host)))
        return;
    if (object->kind == HELD_KIND_OTHER)
        detail = g_strdup("it is in our pool, and not of our making");
    else if (!is_template && instance != NULL)
        detail =
            g_strdup_printf("its instance is on host %s", instance->record.view.host);
    else
        detail = g_strdup("nothing that is kept owns it");
    findings_add_object(findings, FINDING_KIND_UNOWNED, host, object->kind, object->id,
                        NULL, detail);
}

void
compare_objects(InstanceBook *instances,
                TemplateBook *templates,
                const GPtrArray *inventories,
                GPtrArray *findings)
{
    for (guint i = 0; i < inventories->len; i++) {
        const Inventory *inventory = inventories->pdata[i];

        for (guint j = 0; inventory->error == NULL && j < inventory->objects->len; j++) {
            check_owner(instances, templates, inventory->host,
                        &g_array_index(inventory->objects, ProtoHeld, j), findings);
        }
    }
}

static bool
has_size_of(const ProtoOpenSegment *open, const ProtoInstance *view)
{
    return open->vcpus == view->vcpus && open->memory_bytes == view->memory_bytes &&
           open->disk_bytes == view->disk_bytes;
}

/* The open segment of the row and of the ledger are one. */
static void
check_open(const Instance *instance,
           ResourceKind kind,
           const LedgerCheck *ledger,
           GPtrArray *findings)
{
    const ProtoInstance *view = &instance->record.view;
    const ProtoOpenSegment *open = ledger_find_open(&instance->record, kind);
    gint64 segment = ledger_check_get_open(ledger, kind, view->id);

    if (open != NULL && open->seq > ledger_check_get_seq(ledger))
        return;
    if (segment != (open != NULL ? open->seq : 0)) {
        findings_add(findings, FINDING_KIND_LEDGER, view->id, view->name,
                     "the ledger has segment %" G_GINT64_FORMAT
                     " of its %s open, the instance segment %" G_GINT64_FORMAT,
                     segment, resource_kind_to_string(kind),
                     open != NULL ? open->seq : 0);
    } else if (is_at_rest(view->state) && open == NULL) {
        findings_add(findings, FINDING_KIND_LEDGER, view->id, view->name,
                     "it is %s, and no segment of its %s is open",
                     instance_state_to_string(view->state),
                     resource_kind_to_string(kind));
    } else if (is_at_rest(view->state) && kind == RESOURCE_KIND_INSTANCE &&
               !has_size_of(open, view)) {
        findings_add(findings, FINDING_KIND_LEDGER, view->id, view->name,
                     "its open segment has another size than it has");
    }
}

void
compare_ledger(InstanceBook *book, const LedgerCheck *ledger, GPtrArray *findings)
{
    GHashTableIter iter;
    gpointer instance = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        if (operation_find_active(book->engine,
                                  ((Instance *) instance)->record.view.id) != NULL)
            continue;
        for (int kind = 0; kind < RESOURCE_KIND_N; kind++) {
            check_open(instance, (ResourceKind) kind, ledger, findings);
        }
    }
}

/* How many instances of a tenant there are, by walking through all. */
static guint
count_instances(InstanceBook *book, const char *tenant)
{
    GHashTableIter iter;
    gpointer instance = NULL;
    guint count = 0;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &instance)) {
        if (strcmp(((Instance *) instance)->record.view.tenant, tenant) == 0)
            count++;
    }
    return count;
}

/* The rows are the truth; what is kept of them is what is admitted by. */
static void
compare_sums(const char *name, const Quota *rows, const Quota *kept, GPtrArray *findings)
{
    for (int i = 0; i < QUOTA_SIZES; i++) {
        if (rows->amount[i] != kept->amount[i])
            findings_add(findings, FINDING_KIND_QUOTA, NULL, name,
                         "its instances hold %" G_GINT64_FORMAT " %s, and"
                         " %" G_GINT64_FORMAT " are summed up",
                         rows->amount[i], quota_resource_to_string((QuotaResource) i),
                         kept->amount[i]);
    }
}

static void
compare_hosts(InstanceBook *book, GPtrArray *findings)
{
    g_autoptr(GHashTable) uses = hosts_sum(book);
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer host = NULL;

    g_hash_table_iter_init(&iter, book->hosts);
    while (g_hash_table_iter_next(&iter, &name, &host)) {
        const HostUse *use = g_hash_table_lookup(uses, name);
        const Quota none = { 0 };

        compare_sums(name, use != NULL ? &use->used : &none, &((BookHost *) host)->held,
                     findings);
    }
}

void
compare_quota(InstanceBook *book, GPtrArray *findings)
{
    GHashTableIter iter;
    gpointer tenant = NULL;
    gpointer value = NULL;

    if (!operation_engine_is_counted(book->engine))
        findings_add(findings, FINDING_KIND_QUOTA, NULL, NULL,
                     "the operations under way are not as many as are counted");
    g_hash_table_iter_init(&iter, book->by_tenant);
    while (g_hash_table_iter_next(&iter, &tenant, &value)) {
        const BookTenant *kept = value;
        guint count = count_instances(book, tenant);
        Quota rows = instance_book_sum(book, tenant);

        if (count != g_hash_table_size(kept->instances))
            findings_add(findings, FINDING_KIND_QUOTA, NULL, tenant,
                         "it has %u instances, and %u are summed up", count,
                         g_hash_table_size(kept->instances));
        compare_sums(tenant, &rows, &kept->held, findings);
    }
    compare_hosts(book, findings);
}
