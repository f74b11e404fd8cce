/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fleet/fleet.h"

#include <string.h>

struct Fleet {
    /** By name. */
    GPtrArray *hosts;
    GHashTable *by_name;
    /** Name to ProtoHostRecord. */
    GHashTable *records;
};

static void
record_free(gpointer data)
{
    proto_host_record_clear(data);
    g_free(data);
}

Fleet *
fleet_new(const Config *config, const HostListener *listener, GError **error)
{
    g_autoptr(GPtrArray) configs = config_get_hosts(config, error);
    Fleet *fleet = NULL;

    if (configs == NULL)
        return NULL;
    fleet = g_new0(Fleet, 1);
    fleet->hosts = g_ptr_array_new_with_free_func((GDestroyNotify) host_free);
    fleet->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    fleet->records = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, record_free);
    g_ptr_array_set_free_func(configs, NULL);
    for (guint i = 0; i < configs->len; i++) {
        Host *host = host_new(configs->pdata[i], listener);

        g_ptr_array_add(fleet->hosts, host);
        g_hash_table_insert(fleet->by_name, (gpointer) (gsize) host_get_name(host), host);
    }
    return fleet;
}

void
fleet_free(Fleet *fleet)
{
    if (fleet == NULL)
        return;
    g_hash_table_unref(fleet->by_name);
    g_hash_table_unref(fleet->records);
    g_ptr_array_unref(fleet->hosts);
    g_free(fleet);
}

void
fleet_start(Fleet *fleet)
{
    for (guint i = 0; i < fleet->hosts->len; i++) {
        host_start(fleet->hosts->pdata[i]);
    }
}

/* What was decided */

/* Sets or takes off one label among KEY, VALUE, ..., NULL; takes labels. */
static char **
put_label(char **labels, const char *key, const char *value)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (gsize i = 0; labels != NULL && labels[i] != NULL; i += 2) {
        if (strcmp(labels[i], key) != 0)
            g_strv_builder_add_many(builder, labels[i], labels[i + 1], NULL);
    }
    if (value != NULL)
        g_strv_builder_add_many(builder, key, value, NULL);
    g_strfreev(labels);
    return g_strv_builder_end(builder);
}

static void
apply(Host *host, const ProtoHostRecord *record)
{
    char **labels = config_parse_labels(host_get_config(host)->labels);

    for (gsize i = 0; record->labels != NULL && record->labels[i] != NULL; i += 2) {
        const char *value = record->labels[i + 1];

        labels = put_label(labels, record->labels[i], *value != '\0' ? value : NULL);
    }
    host_set_marks(host, record->drained, labels);
}

static void
load_row(gpointer row, gpointer data)
{
    Fleet *fleet = data;
    ProtoHostRecord *record = row;
    Host *host = fleet_find(fleet, record->name);

    g_hash_table_insert(fleet->records, record->name, record);
    if (host != NULL)
        apply(host, record);
}

bool
fleet_load(Fleet *fleet, Store *store, GError **error)
{
    return store_load(store, STORE_HOST, &proto_host_record_type, load_row, fleet, error);
}

static ProtoHostRecord *
ensure_record(Fleet *fleet, const Host *host)
{
    ProtoHostRecord *record = g_hash_table_lookup(fleet->records, host_get_name(host));

    if (record == NULL) {
        record = g_new0(ProtoHostRecord, 1);
        record->name = g_strdup(host_get_name(host));
        g_hash_table_insert(fleet->records, record->name, record);
    }
    return record;
}

static void
put(Host *host, StoreTx *tx, const ProtoHostRecord *record, const char *what, gint64 uid)
{
    ProtoEvent event = {
        .kind = EVENT_KIND_HOST_CHANGED,
        .subject = g_strdup(record->name),
        .state = g_strdup(what),
        .has_uid = true,
        .uid = uid,
    };

    apply(host, record);
    store_put(tx, STORE_HOST, record->name, NULL, NULL, &proto_host_record_type, record);
    store_add_event(tx, &event);
}

void
fleet_set_drained(Fleet *fleet, StoreTx *tx, Host *host, bool is_drained, gint64 uid)
{
    ProtoHostRecord *record = ensure_record(fleet, host);

    if (record->drained == is_drained)
        return;
    record->drained = is_drained;
    put(host, tx, record, is_drained ? "drained" : "undrained", uid);
}

void
fleet_set_labels(Fleet *fleet, StoreTx *tx, Host *host, char *const *labels, gint64 uid)
{
    ProtoHostRecord *record = ensure_record(fleet, host);

    for (gsize i = 0; labels != NULL && labels[i] != NULL; i += 2) {
        record->labels = put_label(record->labels, labels[i], labels[i + 1]);
    }
    put(host, tx, record, "labelled", uid);
}

/* The hosts */

const GPtrArray *
fleet_get_hosts(const Fleet *fleet)
{
    return fleet->hosts;
}

Host *
fleet_find(const Fleet *fleet, const char *name)
{
    return name != NULL ? g_hash_table_lookup(fleet->by_name, name) : NULL;
}

void
fleet_call(Fleet *fleet,
           const char *host,
           HostLane lane,
           const WireMethod *method,
           const void *in,
           gint64 timeout_ms,
           WireLinkReply reply,
           gpointer data)
{
    Host *found = fleet_find(fleet, host);
    g_autoptr(GError) error = NULL;

    if (found != NULL) {
        host_call(found, lane, method, in, timeout_ms, reply, data);
        return;
    }
    proto_error_set_host_unreachable(&error, host != NULL ? host : "",
                                     "There is no host \"%s\" any more",
                                     host != NULL ? host : "");
    reply(NULL, false, error, data);
}
