/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "group/group.h"

#include <string.h>

#include "group/change.h"
#include "group/health.h"
#include "group/keep.h"
#include "tenant/gate.h"

static const gint64 second_ms = 1000;

void
group_free(Group *group)
{
    g_clear_handle_id(&group->look_source, g_source_remove);
    g_clear_handle_id(&group->wake_source, g_source_remove);
    group_health_stop(group);
    g_clear_pointer(&group->members, g_hash_table_unref);
    g_clear_pointer(&group->health, g_hash_table_unref);
    g_free(group->hindrance);
    proto_group_record_clear(&group->record);
    g_free(group);
}

static int
compare_names(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(a, b);
}

/* What a tenant has of them; members are instances. */
static void
sum_groups(gpointer owner, const char *tenant, Quota *sum)
{
    GroupBook *book = owner;
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        if (strcmp(((Group *) value)->record.view.tenant, tenant) == 0)
            sum->amount[QUOTA_GROUPS]++;
    }
}

GroupBook *
group_book_new(InstanceBook *instances)
{
    GroupBook *book = g_new0(GroupBook, 1);
    const Config *config = instances->config;

    book->store = instances->store;
    book->engine = instances->engine;
    book->instances = instances;
    book->patience = (GroupPatience){
        .failures = config->group_failures,
        .backoff_first_ms = config->group_backoff_seconds * second_ms,
        .backoff_last_ms =
            MAX(config->group_backoff_max_seconds, config->group_backoff_seconds) *
            second_ms,
        .proof_ms = config->group_proof_seconds * second_ms,
        .dead_ms = config->group_dead_seconds * second_ms,
    };
    book->by_id =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) group_free);
    book->by_name = g_tree_new_full(compare_names, NULL, g_free, NULL);
    instances->listener = group_get_listener(book);
    tenant_book_add_holder(instances->tenants, sum_groups, book);
    for (gsize i = 0; i < group_n_workflows; i++) {
        operation_engine_add(book->engine, group_workflows[i], book);
    }
    return book;
}

void
group_book_free(GroupBook *book)
{
    if (book == NULL)
        return;
    book->instances->listener = (InstanceListener){ 0 };
    group_health_done(book);
    g_tree_unref(book->by_name);
    g_hash_table_unref(book->by_id);
    g_free(book);
}

static char *
get_key(const Group *group)
{
    return g_strdup_printf("%s/%s", group->record.view.tenant, group->record.view.name);
}

static Template *
get_template(const Group *group)
{
    return template_get(group->book->instances->templates, group->record.template_id);
}

void
group_add(GroupBook *book, Group *group)
{
    Template *template = NULL;

    group->book = book;
    group->members = g_hash_table_new(NULL, NULL);
    group->health = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify) group_health_free);
    g_hash_table_insert(book->by_id, group->record.view.id, group);
    g_tree_insert(book->by_name, get_key(group), group);
    template = get_template(group);
    if (template != NULL)
        template->n_groups++;
}

static void
load_row(gpointer record, gpointer data)
{
    Group *group = g_new0(Group, 1);
    g_autofree ProtoGroupRecord *owned = record;

    group->record = *owned;
    group_add(data, group);
}

static void
load_members(GroupBook *book)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->instances->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const char *id = ((Instance *) value)->record.group;
        Group *group = id != NULL ? group_get(book, id) : NULL;

        if (group != NULL)
            g_hash_table_add(group->members, value);
    }
}

bool
group_book_load(GroupBook *book, GError **error)
{
    if (!store_load(book->store, STORE_GROUP, &proto_group_record_type, load_row, book,
                    error))
        return false;
    load_members(book);
    return true;
}

void
group_book_kick(GroupBook *book)
{
    GHashTableIter iter;
    gpointer value = NULL;

    g_hash_table_iter_init(&iter, book->by_id);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ((Group *) value)->hindered_until_ms = 0;
        group_health_start(value);
        group_keep_soon(value);
    }
}

Group *
group_get(GroupBook *book, const char *id)
{
    return g_hash_table_lookup(book->by_id, id);
}

Group *
group_find(GroupBook *book, const char *tenant, const char *text, GError **error)
{
    Group *group = group_get(book, text);
    g_autofree char *key = g_strdup_printf("%s/%s", tenant, text);

    if (group == NULL || strcmp(group->record.view.tenant, tenant) != 0)
        group = g_tree_lookup(book->by_name, key);
    if (group == NULL)
        proto_error_set_not_found(error, "group", text, "There is no group \"%s\"", text);
    return group;
}

void
group_put(Group *group, StoreTx *tx)
{
    const ProtoGroup *view = &group->record.view;

    store_put(tx, STORE_GROUP, view->id, view->tenant, view->name,
              &proto_group_record_type, &group->record);
}

static void
on_removed(gpointer data)
{
    group_free(data);
}

void
group_remove(Group *group, StoreTx *tx)
{
    GroupBook *book = group->book;
    g_autofree char *key = get_key(group);
    Template *template = get_template(group);

    g_clear_handle_id(&group->look_source, g_source_remove);
    g_clear_handle_id(&group->wake_source, g_source_remove);
    group_health_stop(group);
    store_delete(tx, STORE_GROUP, group->record.view.id);
    g_tree_remove(book->by_name, key);
    g_hash_table_steal(book->by_id, group->record.view.id);
    if (template != NULL)
        template->n_groups--;
    store_on_commit(tx, on_removed, group);
}

Group *
group_of_operation(Operation *operation)
{
    return group_get(operation_get_owner(operation), operation->record.view.target);
}
