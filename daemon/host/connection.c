/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/connection.h"

#include <libvirt/virterror.h>
#include <string.h>

enum {
    KEEPALIVE_SECONDS = 2,
    KEEPALIVE_COUNT = 3,
    WATCH_SECONDS = 1,
    OPEN_SECONDS = 10,
    TEXT_BYTES = 300
};

struct Connection {
    HostOptions options;
    void (*opened)(virConnectPtr libvirt, gpointer data);
    void (*lost)(gpointer data);
    gpointer data;
    /** The pool's threads and the one that opens meet here. */
    GMutex mutex;
    GCond changed;
    virConnectPtr libvirt;
    bool is_opening;
    char *failure;
};

/* The text of libvirt's last error, as one bounded line. */
static char *
get_text(void)
{
    const virError *last = virGetLastError();
    g_autofree char *valid = NULL;

    if (last == NULL || last->message == NULL)
        return g_strdup("unknown error");
    valid = g_utf8_make_valid(last->message, -1);
    g_strdelimit(valid, "\n\r\t", ' ');
    return g_utf8_substring(valid, 0, MIN(g_utf8_strlen(valid, -1), TEXT_BYTES));
}

/* Whether the connection is.  A call of the system's may also have failed on the host, as
 * at a file that is not there. */
static bool
is_gone(const virError *last)
{
    if (last == NULL)
        return false;
    return last->code == VIR_ERR_RPC || last->code == VIR_ERR_NO_CONNECT ||
           last->code == VIR_ERR_INVALID_CONN ||
           ((last->code == VIR_ERR_SYSTEM_ERROR ||
             last->code == VIR_ERR_INTERNAL_ERROR) &&
            (last->domain == VIR_FROM_RPC || last->domain == VIR_FROM_REMOTE));
}

void
connection_set_error(GError **error, const char *what)
{
    bool gone = is_gone(virGetLastError());
    g_autofree char *text = get_text();

    if (gone) {
        proto_error_set_host_unreachable(error, "", "%s: %s", what, text);
    } else {
        proto_error_set_host_failed(error, "", "%s: %s", what, text);
    }
}

static gboolean
tell_lost(gpointer data)
{
    Connection *connection = data;

    connection->lost(connection->data);
    return G_SOURCE_REMOVE;
}

static gboolean
tell_opened(gpointer data)
{
    Connection *connection = data;
    g_autoptr(virConnect) libvirt = connection_get(connection, NULL);

    if (libvirt != NULL)
        connection->opened(libvirt, connection->data);
    return G_SOURCE_REMOVE;
}

void
connection_drop(Connection *connection, virConnectPtr libvirt)
{
    virConnectPtr old = NULL;

    g_mutex_lock(&connection->mutex);
    if (connection->libvirt == libvirt)
        old = g_steal_pointer(&connection->libvirt);
    g_mutex_unlock(&connection->mutex);
    if (old == NULL)
        return;
    g_message("libvirt has gone");
    g_idle_add(tell_lost, connection);
    virConnectClose(old);
}

static void
on_closed(virConnectPtr libvirt, int reason, gpointer data)
{
    connection_drop(data, libvirt);
}

/* A call that waits for an answer is woken once when the connection is given up, and only
 * where its thread already sleeps: if it misses that, it closes nothing, and on_closed()
 * is not called.  That it was given up is known all the same, without asking libvirtd. */
static gboolean
watch(gpointer data)
{
    Connection *connection = data;
    g_autoptr(virConnect) libvirt = connection_get(connection, NULL);

    if (libvirt != NULL && virConnectIsAlive(libvirt) == 0)
        connection_drop(connection, libvirt);
    return G_SOURCE_CONTINUE;
}

static virConnectPtr
open_now(Connection *connection, char **ret_failure)
{
    virConnectPtr libvirt = virConnectOpen(connection->options.uri);

    if (libvirt == NULL) {
        *ret_failure = get_text();
        return NULL;
    }
    if (virConnectSetKeepAlive(libvirt, KEEPALIVE_SECONDS, KEEPALIVE_COUNT) < 0)
        g_message("libvirt does not keep the connection alive");
    virConnectRegisterCloseCallback(libvirt, on_closed, connection, NULL);
    return libvirt;
}

static gpointer
run_open(gpointer data)
{
    Connection *connection = data;
    char *failure = NULL;
    virConnectPtr libvirt = open_now(connection, &failure);

    g_mutex_lock(&connection->mutex);
    connection->is_opening = false;
    connection->libvirt = libvirt;
    g_free(connection->failure);
    connection->failure = failure;
    g_cond_broadcast(&connection->changed);
    g_mutex_unlock(&connection->mutex);
    if (libvirt != NULL)
        g_idle_add(tell_opened, connection);
    return NULL;
}

Connection *
connection_new(const HostOptions *options,
               void (*opened)(virConnectPtr libvirt, gpointer data),
               void (*lost)(gpointer data),
               gpointer data)
{
    Connection *connection = g_new0(Connection, 1);

    connection->options = *options;
    connection->opened = opened;
    connection->lost = lost;
    connection->data = data;
    g_mutex_init(&connection->mutex);
    g_cond_init(&connection->changed);
    g_timeout_add_seconds(WATCH_SECONDS, watch, connection);
    return connection;
}

const HostOptions *
connection_get_options(Connection *connection)
{
    return &connection->options;
}

static virConnectPtr
ref_locked(Connection *connection)
{
    if (connection->libvirt == NULL)
        return NULL;
    virConnectRef(connection->libvirt);
    return connection->libvirt;
}

virConnectPtr
connection_get(Connection *connection, GError **error)
{
    virConnectPtr libvirt = NULL;

    g_mutex_lock(&connection->mutex);
    libvirt = ref_locked(connection);
    g_mutex_unlock(&connection->mutex);
    if (libvirt == NULL)
        proto_error_set_host_unreachable(error, "", "libvirt at %s is not connected",
                                         connection->options.uri);
    return libvirt;
}

virConnectPtr
connection_open(Connection *connection, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64) OPEN_SECONDS * G_TIME_SPAN_SECOND;
    g_autofree char *failure = NULL;
    virConnectPtr libvirt = NULL;

    g_mutex_lock(&connection->mutex);
    if (connection->libvirt == NULL && !connection->is_opening) {
        connection->is_opening = true;
        g_thread_unref(g_thread_new("open", run_open, connection));
    }
    while (connection->is_opening &&
           g_cond_wait_until(&connection->changed, &connection->mutex, until)) {
    }
    libvirt = ref_locked(connection);
    failure =
        g_strdup(connection->is_opening ? "it does not answer" : connection->failure);
    g_mutex_unlock(&connection->mutex);
    if (libvirt == NULL)
        proto_error_set_host_unreachable(error, "", "Connecting to libvirt at %s: %s",
                                         connection->options.uri,
                                         failure != NULL ? failure : "it has gone");
    return libvirt;
}
