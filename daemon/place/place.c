/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "place/place.h"

/* Why host cannot take it; NULL if it can. */
static char *
refuse(const PlaceHost *host, const Quota *asked)
{
    if (host->refusal != NULL)
        return g_strdup(host->refusal);
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        gint64 left = MAX(host->capacity.amount[i] - host->used.amount[i], 0);

        if (asked->amount[i] > left)
            return g_strdup_printf(
                "%s: %" G_GINT64_FORMAT " asked, %" G_GINT64_FORMAT " left",
                quota_resource_to_string((QuotaResource) i), asked->amount[i], left);
    }
    return NULL;
}

static gint64
memory_left(const PlaceHost *host)
{
    return host->capacity.amount[QUOTA_MEMORY_BYTES] -
           host->used.amount[QUOTA_MEMORY_BYTES];
}

static void
fail(ProtoRefusal *refusals, gsize n_refusals, GError **error)
{
    if (n_refusals == 1) {
        proto_error_set_no_capacity(error, refusals, n_refusals,
                                    "Host %s cannot take it: %s", refusals[0].host,
                                    refusals[0].reason);
    } else {
        proto_error_set_no_capacity(error, refusals, n_refusals,
                                    "None of %zu hosts can take it", n_refusals);
    }
}

bool
place_choose(const PlaceHost *hosts,
             gsize n_hosts,
             const ProtoSize *size,
             gsize *ret_index,
             GError **error)
{
    g_autofree ProtoRefusal *refusals = g_new0(ProtoRefusal, n_hosts + 1);
    const PlaceHost *best = NULL;
    gsize n_refusals = 0;
    Quota asked = { 0 };

    quota_add(&asked, size, 1);
    for (gsize i = 0; i < n_hosts; i++) {
        char *reason = refuse(&hosts[i], &asked);

        if (reason != NULL) {
            refusals[n_refusals++] = (ProtoRefusal){ g_strdup(hosts[i].name), reason };
        } else if (best == NULL || memory_left(&hosts[i]) > memory_left(best)) {
            best = &hosts[i];
        }
    }
    if (best == NULL) {
        fail(refusals, n_refusals, error);
    } else {
        *ret_index = (gsize) (best - hosts);
    }
    for (gsize i = 0; i < n_refusals; i++) {
        proto_refusal_clear(&refusals[i]);
    }
    return best != NULL;
}
