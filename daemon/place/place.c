/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place/place.h"

#include <string.h>

enum {
    /** A host that is full has this load. */
    LOAD_FULL = 1 << 20,
};

typedef struct {
    const PlaceRequest *request;
    Quota asked;
    /** Value of the label apart_by to how many near ones are there; NULL without it. */
    GHashTable *near;
} Context;

typedef struct {
    const PlaceHost *host;
    gint64 n_near_place;
    gint64 n_near;
    gint64 load;
} Candidate;

/* Labels */

const char *
place_get_label(char *const *labels, const char *key)
{
    for (gsize i = 0; labels != NULL && labels[i] != NULL; i += 2) {
        if (strcmp(labels[i], key) == 0)
            return labels[i + 1];
    }
    return NULL;
}

bool
place_has_labels(char *const *labels, char *const *wanted)
{
    for (gsize i = 0; wanted != NULL && wanted[i] != NULL; i += 2) {
        if (g_strcmp0(place_get_label(labels, wanted[i]), wanted[i + 1]) != 0)
            return false;
    }
    return true;
}

/* Filters: each gives the reason why a host cannot take it, or NULL. */

static char *
filter_state(const Context *context, const PlaceHost *host)
{
    return g_strdup(host->refusal);
}

static char *
filter_pool(const Context *context, const PlaceHost *host)
{
    const char *pool = context->request->pool;

    if (pool == NULL || g_strcmp0(pool, host->pool) == 0)
        return NULL;
    return g_strdup_printf("it is in the pool %s", host->pool);
}

static char *
filter_labels(const Context *context, const PlaceHost *host)
{
    char *const *wanted = context->request->labels;

    for (gsize i = 0; wanted != NULL && wanted[i] != NULL; i += 2) {
        const char *value = place_get_label(host->labels, wanted[i]);

        if (value == NULL)
            return g_strdup_printf("it has no label %s", wanted[i]);
        if (strcmp(value, wanted[i + 1]) != 0)
            return g_strdup_printf("its label %s is %s", wanted[i], value);
    }
    return NULL;
}

static char *
filter_arch(const Context *context, const PlaceHost *host)
{
    const char *arch = context->request->arch;

    if (arch == NULL || host->arch == NULL || strcmp(arch, host->arch) == 0)
        return NULL;
    return g_strdup_printf("it is %s, and the template is for %s", host->arch, arch);
}

char *
place_check_room(const PlaceHost *host, const Quota *more)
{
    for (int i = 0; i < QUOTA_SIZES; i++) {
        gint64 asked = more->amount[i];
        gint64 left = MAX(host->capacity.amount[i] - host->used.amount[i], 0);

        if (asked > left)
            return g_strdup_printf(
                "%s: %" G_GINT64_FORMAT " asked, %" G_GINT64_FORMAT " left",
                quota_resource_to_string((QuotaResource) i), asked, left);
    }
    return NULL;
}

static char *
filter_room(const Context *context, const PlaceHost *host)
{
    return place_check_room(host, &context->asked);
}

static char *
filter_wishes(const Context *context, const PlaceHost *host)
{
    return host->is_denied ? g_strdup("an instance there is kept apart from it") : NULL;
}

/* How many near ones are in the host's place. */
static gint64
count_near(const Context *context, const PlaceHost *host)
{
    const char *place = context->near != NULL
                            ? place_get_label(host->labels, context->request->apart_by)
                            : NULL;
    const gint64 *sum = place != NULL ? g_hash_table_lookup(context->near, place) : NULL;

    return sum != NULL ? *sum : host->n_near;
}

static char *
filter_apart(const Context *context, const PlaceHost *host)
{
    const char *by = context->request->apart_by;
    const char *place = by != NULL ? place_get_label(host->labels, by) : NULL;

    if (!context->request->is_strictly_apart)
        return NULL;
    if (by != NULL && place == NULL)
        return g_strdup_printf("it has no label %s to be kept apart by", by);
    if (count_near(context, host) == 0)
        return NULL;
    if (by != NULL)
        return g_strdup_printf("what it is kept apart from is in %s %s", by, place);
    return g_strdup("what it is kept apart from is there");
}

static char *(*const filters[])(const Context *context, const PlaceHost *host) = {
    filter_state, filter_pool,   filter_labels, filter_arch,
    filter_room,  filter_wishes, filter_apart,
};

static char *
refuse(const Context *context, const PlaceHost *host)
{
    char *reason = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(filters) && reason == NULL; i++) {
        reason = filters[i](context, host);
    }
    return reason;
}

/* Scores */

/* The largest share of what may be promised, with the new one on it. */
static gint64
get_load(const Context *context, const PlaceHost *host)
{
    gint64 load = 0;

    for (int i = QUOTA_VCPUS; i < QUOTA_SIZES; i++) {
        __int128 used = (__int128) host->used.amount[i] + context->asked.amount[i];

        if (host->capacity.amount[i] > 0)
            load = MAX(load, (gint64) (used * LOAD_FULL / host->capacity.amount[i]));
    }
    return load;
}

static int
compare_numbers(gint64 a, gint64 b)
{
    return (a > b) - (a < b);
}

/* Below 0: a is the better one. */
static int
compare(const Candidate *a, const Candidate *b, PlaceStrategy strategy)
{
    int loads = compare_numbers(a->load, b->load);
    const int orders[] = {
        compare_numbers(a->n_near_place, b->n_near_place),
        compare_numbers(a->n_near, b->n_near),
        strategy == PLACE_PACK ? -loads : loads,
        strcmp(a->host->name, b->host->name),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++) {
        if (orders[i] != 0)
            return orders[i];
    }
    return 0;
}

/* The choice */

static GHashTable *
sum_near(const PlaceHost *hosts, gsize n_hosts, const char *by)
{
    GHashTable *near = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);

    for (gsize i = 0; i < n_hosts; i++) {
        const char *place = place_get_label(hosts[i].labels, by);
        gint64 *sum = place != NULL ? g_hash_table_lookup(near, place) : NULL;

        if (sum != NULL)
            *sum += hosts[i].n_near;
        else if (place != NULL)
            g_hash_table_insert(near, (gpointer) (gsize) place,
                                g_memdup2(&hosts[i].n_near, sizeof hosts[i].n_near));
    }
    return near;
}

static int
compare_refusals(gconstpointer a, gconstpointer b)
{
    return strcmp(((const ProtoRefusal *) a)->host, ((const ProtoRefusal *) b)->host);
}

static void
fail(GArray *refusals, GError **error)
{
    const ProtoRefusal *rows = NULL;

    g_array_sort(refusals, compare_refusals);
    rows = (const ProtoRefusal *) (gpointer) refusals->data;
    if (refusals->len == 1) {
        proto_error_set_no_capacity(error, (ProtoRefusal *) (gsize) rows, 1,
                                    "Host %s cannot take it: %s", rows[0].host,
                                    rows[0].reason);
    } else {
        proto_error_set_no_capacity(error, (ProtoRefusal *) (gsize) rows, refusals->len,
                                    "None of %u hosts can take it", refusals->len);
    }
}

static void
take_candidate(const Context *context, const PlaceHost *host, Candidate *best)
{
    const Candidate candidate = {
        .host = host,
        .n_near_place = count_near(context, host),
        .n_near = host->n_near,
        .load = get_load(context, host),
    };

    if (best->host == NULL || compare(&candidate, best, context->request->strategy) < 0)
        *best = candidate;
}

bool
place_choose(const PlaceHost *hosts,
             gsize n_hosts,
             const PlaceRequest *request,
             gsize *ret_index,
             GError **error)
{
    g_autoptr(GArray) refusals = g_array_new(FALSE, FALSE, sizeof(ProtoRefusal));
    g_autoptr(GHashTable) near =
        request->apart_by != NULL ? sum_near(hosts, n_hosts, request->apart_by) : NULL;
    Context context = { .request = request, .near = near };
    Candidate best = { 0 };

    g_array_set_clear_func(refusals, (GDestroyNotify) proto_refusal_clear);
    quota_add(&context.asked, &request->size, 1);
    for (gsize i = 0; i < n_hosts; i++) {
        ProtoRefusal refusal = { NULL, refuse(&context, &hosts[i]) };

        if (refusal.reason == NULL) {
            take_candidate(&context, &hosts[i], &best);
            continue;
        }
        refusal.host = g_strdup(hosts[i].name);
        g_array_append_val(refusals, refusal);
    }
    if (best.host == NULL) {
        fail(refusals, error);
        return false;
    }
    *ret_index = (gsize) (best.host - hosts);
    return true;
}
