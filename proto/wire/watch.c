/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/watch.h"

#include <glib-unix.h>
#include <stdbool.h>
#include <unistd.h>

enum {
    EVENTS = 64
};

struct WireWatch {
    int fd;
    uint32_t events;
    WireWatchTold told;
    gpointer data;
    /** Events of this turn may still name it. */
    bool is_freed;
};

/* There is one for the one default main context, as long as anything is watched. */
static struct {
    int fd;
    guint source;
    guint n_watches;
    /** Turns under way: one that is told of events may run the main loop itself. */
    guint depth;
    /** Freed in a turn. */
    GSList *freed;
} epoll;

static void
close_unused(void)
{
    if (epoll.n_watches > 0 || epoll.depth > 0 || epoll.source == 0)
        return;
    g_clear_handle_id(&epoll.source, g_source_remove);
    close(epoll.fd);
}

static gboolean
on_events(int fd, GIOCondition condition, gpointer data)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(fd, events, EVENTS, 0);

    epoll.depth++;
    for (int i = 0; i < count; i++) {
        const WireWatch *watch = events[i].data.ptr;

        if (!watch->is_freed)
            watch->told(events[i].events, watch->data);
    }
    if (--epoll.depth == 0)
        g_slist_free_full(g_steal_pointer(&epoll.freed), g_free);
    close_unused();
    return G_SOURCE_CONTINUE;
}

/* A source that may recurse is left in the poll set while it is dispatched; others are
 * taken out and put back, which costs three more system calls for every call answered. */
static void
open_epoll(void)
{
    g_autoptr(GSource) source = NULL;

    epoll.fd = epoll_create1(EPOLL_CLOEXEC);
    source = g_unix_fd_source_new(epoll.fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(on_events), NULL, NULL);
    g_source_set_can_recurse(source, TRUE);
    epoll.source = g_source_attach(source, NULL);
}

static void
control(int operation, WireWatch *watch)
{
    struct epoll_event event = { .events = watch->events, .data.ptr = watch };

    epoll_ctl(epoll.fd, operation, watch->fd, &event);
}

WireWatch *
wire_watch_new(int fd, uint32_t events, WireWatchTold told, gpointer data)
{
    WireWatch *watch = g_new0(WireWatch, 1);

    *watch = (WireWatch){ .fd = fd, .events = events, .told = told, .data = data };
    if (epoll.source == 0)
        open_epoll();
    epoll.n_watches++;
    control(EPOLL_CTL_ADD, watch);
    return watch;
}

void
wire_watch_set_events(WireWatch *watch, uint32_t events)
{
    if (events == watch->events)
        return;
    watch->events = events;
    control(EPOLL_CTL_MOD, watch);
}

uint32_t
wire_watch_get_events(const WireWatch *watch)
{
    return watch->events;
}

void
wire_watch_free(WireWatch *watch)
{
    if (watch == NULL)
        return;
    control(EPOLL_CTL_DEL, watch);
    epoll.n_watches--;
    if (epoll.depth > 0) {
        watch->is_freed = true;
        epoll.freed = g_slist_prepend(epoll.freed, watch);
        return;
    }
    g_free(watch);
    close_unused();
}
