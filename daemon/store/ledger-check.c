/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/ledger-check.h"

#include <string.h>

#include "store/ledger-table.h"
#include "store/ledger-topics.h"

/*
 * A resource has the segment that is its last, and the one before: what was used in that
 * may be booked after the next has begun.
 */
typedef struct {
    gint64 seq;
    gint64 from_ms;
    gint64 to_ms;
    bool is_open;
} Segment;

typedef struct {
    Counter counter;
    char *device;
    gint64 end_ms;
} Used;

typedef struct {
    char *id;
    char *name;
    Segment last;
    Segment before;
    /** Until when use of each counter was booked: Used.  There are few. */
    GArray *used;
} Resource;

struct LedgerCheck {
    LedgerBlame blame;
    gpointer data;
    gint64 seq;
    gint64 count;
    gint64 at_ms;
    ChainHash hash;
    bool is_broken;
    /** "kind/id" to Resource, and each segment that is still known to its Resource. */
    GHashTable *resources;
    GHashTable *segments;
};

static void
used_clear(gpointer data)
{
    Used *used = data;

    g_free(used->device);
}

static void
resource_free(gpointer data)
{
    Resource *resource = data;

    g_free(resource->id);
    g_free(resource->name);
    g_array_unref(resource->used);
    g_free(resource);
}

LedgerCheck *
ledger_check_new(const char *service_id, LedgerBlame blame, gpointer data)
{
    LedgerCheck *check = g_new0(LedgerCheck, 1);

    check->blame = blame;
    check->data = data;
    check->hash = chain_begin(service_id);
    check->resources =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, resource_free);
    check->segments = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return check;
}

void
ledger_check_free(LedgerCheck *check)
{
    if (check == NULL)
        return;
    g_hash_table_unref(check->segments);
    g_hash_table_unref(check->resources);
    g_free(check);
}

static void G_GNUC_PRINTF(4, 5) blame(const LedgerCheck *check,
                                      const ProtoLedgerRow *row,
                                      const Resource *resource,
                                      const char *format,
                                      ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    check->blame(row->seq, resource != NULL ? resource->id : row->resource,
                 resource != NULL ? resource->name : row->name, text, check->data);
}

/* Segments */

static Resource *
get_resource(LedgerCheck *check, const ProtoLedgerRow *row)
{
    g_autofree char *key = g_strdup_printf(
        "%s/%s", resource_kind_to_string(row->resource_kind), row->resource);
    Resource *resource = g_hash_table_lookup(check->resources, key);

    if (resource != NULL)
        return resource;
    resource = g_new0(Resource, 1);
    resource->id = g_strdup(row->resource);
    resource->used = g_array_new(FALSE, FALSE, sizeof(Used));
    g_array_set_clear_func(resource->used, used_clear);
    g_hash_table_insert(check->resources, g_steal_pointer(&key), resource);
    return resource;
}

static bool
is_open(const Resource *resource)
{
    return resource->last.is_open;
}

static bool
has_sizes(const ProtoLedgerRow *row)
{
    return row->resource_kind == RESOURCE_KIND_ADDRESS ||
           (row->disk_bytes > 0 && (row->resource_kind != RESOURCE_KIND_INSTANCE ||
                                    (row->vcpus > 0 && row->memory_bytes > 0)));
}

static void
take_opened(LedgerCheck *check, const ProtoLedgerRow *row)
{
    Resource *resource = NULL;

    if (row->resource == NULL || row->tenant == NULL || row->name == NULL) {
        blame(check, row, NULL, "does not say what it opens a segment of");
        return;
    }
    resource = get_resource(check, row);
    g_free(resource->name);
    resource->name = g_strdup(row->name);
    if (is_open(resource))
        blame(check, row, resource, "opens a segment while another is open");
    if (row->segment != row->seq)
        blame(check, row, resource, "opens a segment that is not its own");
    if (!has_sizes(row))
        blame(check, row, resource, "has a size below one");
    if (row->from_ms < resource->last.to_ms)
        blame(check, row, resource, "opens a segment that overlaps the one before");
    g_hash_table_remove(check->segments, &resource->before.seq);
    resource->before = resource->last;
    resource->last =
        (Segment){ .seq = row->segment, .from_ms = row->from_ms, .is_open = true };
    g_hash_table_insert(check->segments, g_memdup2(&row->segment, sizeof row->segment),
                        resource);
}

static void
take_closed(LedgerCheck *check, const ProtoLedgerRow *row)
{
    Resource *resource = g_hash_table_lookup(check->segments, &row->segment);

    if (resource == NULL || resource->last.seq != row->segment || !is_open(resource)) {
        blame(check, row, resource, "closes a segment that is not open");
        return;
    }
    if (row->to_ms < resource->last.from_ms)
        blame(check, row, resource, "closes a segment before it began");
    resource->last.to_ms = row->to_ms;
    resource->last.is_open = false;
}

/* Uses */

static Used *
get_used(Resource *resource, Counter counter, const char *device)
{
    Used new = { counter, NULL, 0 };

    for (guint i = 0; i < resource->used->len; i++) {
        Used *used = &g_array_index(resource->used, Used, i);

        if (used->counter == counter && strcmp(used->device, device) == 0)
            return used;
    }
    new.device = g_strdup(device);
    g_array_append_val(resource->used, new);
    return &g_array_index(resource->used, Used, resource->used->len - 1);
}

static void
check_overlap(const LedgerCheck *check, const ProtoLedgerRow *row, Resource *resource)
{
    Used *used = get_used(resource, row->counter, row->device != NULL ? row->device : "");

    if (row->from_ms < used->end_ms)
        blame(check, row, resource, "is of a time of which use was booked before");
    used->end_ms = row->to_ms;
}

static void
take_used(const LedgerCheck *check, const ProtoLedgerRow *row)
{
    Resource *resource = g_hash_table_lookup(check->segments, &row->segment);
    const Segment *segment = NULL;

    if (resource == NULL) {
        blame(check, row, NULL, "is of a segment that there is not");
        return;
    }
    segment = resource->last.seq == row->segment ? &resource->last : &resource->before;
    if (row->to_ms < row->from_ms || row->from_ms < segment->from_ms ||
        (!segment->is_open && row->to_ms > segment->to_ms))
        blame(check, row, resource, "does not lie in its segment");
    if (row->kind == LEDGER_KIND_GAP)
        return;
    if (row->quantity < 0 || row->estimated < 0 || row->estimated > row->quantity)
        blame(check, row, resource, "has a quantity that cannot be");
    check_overlap(check, row, resource);
}

/* Rows */

/* What is wrong with the chain is told once: after it, everything would be. */
static void
check_chain(LedgerCheck *check,
            const ProtoLedgerRow *row,
            const guint8 *packed,
            gsize length,
            const ChainHash *hash)
{
    ChainHash leaf = chain_leaf(packed, length);

    check->hash = chain_next(&check->hash, &leaf);
    if (hash == NULL || chain_is_equal(&check->hash, hash))
        return;
    if (!check->is_broken)
        blame(check, row, NULL, "has not the hash of what it and the rows before it say");
    check->is_broken = true;
}

void
ledger_check_take(LedgerCheck *check,
                  const ProtoLedgerRow *row,
                  const guint8 *packed,
                  gsize length,
                  const ChainHash *hash)
{
    if (row->seq != check->seq + 1)
        blame(check, row, NULL, "follows row %" G_GINT64_FORMAT, check->seq);
    if (row->at_ms < check->at_ms)
        blame(check, row, NULL, "lies before a row before it");
    check_chain(check, row, packed, length, hash);
    switch (row->kind) {
    case LEDGER_KIND_OPENED:
        take_opened(check, row);
        break;
    case LEDGER_KIND_CLOSED:
        take_closed(check, row);
        break;
    case LEDGER_KIND_USED:
    case LEDGER_KIND_GAP:
        take_used(check, row);
        break;
    case LEDGER_KIND_CLOCK:
    case LEDGER_KIND_NOTED:
    case LEDGER_KIND_FORKED:
    case LEDGER_KIND_N:
        break;
    }
    check->seq = row->seq;
    check->at_ms = row->at_ms;
    check->count++;
}

void
ledger_check_pass(LedgerCheck *check, const ChainHash *leaf)
{
    check->hash = chain_next(&check->hash, leaf);
    check->seq++;
    check->count++;
}

char *
ledger_check_describe_break(const ProtoLedgerRow *row)
{
    if (row->kind == LEDGER_KIND_FORKED)
        return g_strdup_printf("goes on from an older copy: row %s is lost",
                               row->note != NULL ? row->note : "?");
    if (ledger_topic_is(LEDGER_TOPIC_RECOVERED, row))
        return g_strdup("accepts that the ledger goes on from an older copy");
    return NULL;
}

gint64
ledger_check_get_seq(const LedgerCheck *check)
{
    return check->seq;
}

ChainHash
ledger_check_get_hash(const LedgerCheck *check)
{
    return check->hash;
}

gint64
ledger_check_count(const LedgerCheck *check)
{
    return check->count;
}

gint64
ledger_check_get_open(const LedgerCheck *check, ResourceKind kind, const char *resource)
{
    g_autofree char *key =
        g_strdup_printf("%s/%s", resource_kind_to_string(kind), resource);
    const Resource *found = g_hash_table_lookup(check->resources, key);

    return found != NULL && is_open(found) ? found->last.seq : 0;
}
