/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/watchdog.h"

#include <stdbool.h>

#include "base/service.h"

enum {
    /* Of the time after which silence counts as death. */
    WORDS = 3
};

struct Watchdog {
    Store *store;
    guint source;
    bool is_under_way;
};

static void
on_turned(gpointer data)
{
    Watchdog *watchdog = data;

    watchdog->is_under_way = false;
    service_notify("WATCHDOG=1");
}

static gboolean
turn(gpointer data)
{
    Watchdog *watchdog = data;
    StoreTx *tx = NULL;

    if (watchdog->is_under_way)
        return G_SOURCE_CONTINUE;
    watchdog->is_under_way = true;
    tx = store_begin(watchdog->store);
    store_on_commit(tx, on_turned, watchdog);
    store_commit(tx);
    return G_SOURCE_CONTINUE;
}

Watchdog *
watchdog_new(Store *store)
{
    guint interval_ms = service_take_watchdog_ms();
    Watchdog *watchdog = NULL;

    if (interval_ms == 0)
        return NULL;
    watchdog = g_new0(Watchdog, 1);
    watchdog->store = store;
    watchdog->source = g_timeout_add(MAX(interval_ms / WORDS, 1), turn, watchdog);
    return watchdog;
}

void
watchdog_free(Watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    g_source_remove(watchdog->source);
    g_free(watchdog);
}
