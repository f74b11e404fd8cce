/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter/http.h"

#include <errno.h>
#include <glib-unix.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto.h"

enum {
    BACKLOG = 64,
    /* Of a connection: its request, and the part that is being sent. */
    MEMORY_BYTES = 32 * 1024,
    PART_BYTES = 16 * 1024
};

typedef struct {
    GSource source;
    struct MHD_Daemon *daemon;
    gpointer tag;
} HttpSource;

struct HttpServer {
    HttpPage page;
    struct MHD_Daemon *daemon;
    GSource *source;
    bool is_tcp;
};

/* The main loop */

static bool
is_due(HttpSource *self, int *ret_timeout)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;

    if (MHD_get_timeout(self->daemon, &wait_ms) != MHD_YES) {
        *ret_timeout = -1;
        return false;
    }
    *ret_timeout = (int) MIN(wait_ms, (MHD_UNSIGNED_LONG_LONG) G_MAXINT);
    return wait_ms == 0;
}

static gboolean
source_prepare(GSource *source, int *timeout)
{
    return is_due((HttpSource *) source, timeout);
}

static gboolean
source_check(GSource *source)
{
    HttpSource *self = (HttpSource *) source;
    int timeout = 0;

    return g_source_query_unix_fd(source, self->tag) != 0 || is_due(self, &timeout);
}

static unsigned int
count_connections(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
        ->num_connections;
}

/* When there was no room, only a run after some were closed looks for who waits. */
static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    struct MHD_Daemon *daemon = ((HttpSource *) source)->daemon;
    unsigned int before = 0;

    do {
        before = count_connections(daemon);
        MHD_run(daemon);
    } while (count_connections(daemon) < before);
    return G_SOURCE_CONTINUE;
}

static GSource *
add_source(struct MHD_Daemon *daemon)
{
    static GSourceFuncs functions = {
        .prepare = source_prepare,
        .check = source_check,
        .dispatch = source_dispatch,
    };
    GSource *source = g_source_new(&functions, sizeof(HttpSource));
    HttpSource *self = (HttpSource *) source;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);

    self->daemon = daemon;
    self->tag = g_source_add_unix_fd(source, info->epoll_fd, G_IO_IN);
    g_source_attach(source, NULL);
    return source;
}

/* Documents */

typedef struct {
    HttpDocument document;
    GString *part;
    gsize taken;
    bool is_done;
} Sending;

static void
sending_free(gpointer data)
{
    Sending *sending = data;

    sending->document.free(sending->document.stream);
    g_string_free(sending->part, TRUE);
    g_free(sending);
}

static bool
has_part(Sending *sending, GError **error)
{
    if (sending->taken < sending->part->len || sending->is_done)
        return true;
    g_string_truncate(sending->part, 0);
    sending->taken = 0;
    return sending->document.next(sending->document.stream, sending->part,
                                  &sending->is_done, error);
}

static ssize_t
send_part(void *data, uint64_t position, char *buffer, size_t room)
{
    Sending *sending = data;
    g_autoptr(GError) error = NULL;
    gsize length = 0;

    if (!has_part(sending, &error)) {
        g_warning("A page over HTTP was cut: %s", error->message);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    length = MIN(sending->part->len - sending->taken, room);
    /* None is asked for again in the next turn of the main loop. */
    if (length == 0)
        return sending->is_done ? MHD_CONTENT_READER_END_OF_STREAM : 0;
    memcpy(buffer, sending->part->str + sending->taken, length);
    sending->taken += length;
    return (ssize_t) length;
}

/* Answers */

/* Takes response. */
static enum MHD_Result
answer(struct MHD_Connection *connection,
       unsigned int status,
       const char *content_type,
       struct MHD_Response *response)
{
    enum MHD_Result result = MHD_NO;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result
answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
    g_autofree char *line = g_strdup_printf("%s\n", text);

    return answer(
        connection, status, "text/plain; charset=utf-8",
        MHD_create_response_from_buffer(strlen(line), line, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result
answer_page(struct MHD_Connection *connection, const HttpPage *page)
{
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    g_autoptr(GError) error = NULL;
    HttpDocument document = { 0 };
    Sending *sending = NULL;

    if (!page->open(page->data, accept, &document, &error))
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, error->message);
    sending = g_new0(Sending, 1);
    sending->document = document;
    sending->part = g_string_new(NULL);
    return answer(connection, MHD_HTTP_OK, document.content_type,
                  MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PART_BYTES,
                                                    send_part, sending, sending_free));
}

/* A path is compared as it was sent: no page has a name that needs escapes. */
static size_t
keep_escapes(void *data, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

/* Whether host, with its port or without, is this machine by one of its own names. */
static bool
is_loopback(const char *host)
{
    static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

    for (gsize i = 0; host != NULL && i < G_N_ELEMENTS(names); i++) {
        gsize length = strlen(names[i]);

        if (g_ascii_strncasecmp(host, names[i], length) == 0 &&
            (host[length] == '\0' || host[length] == ':'))
            return true;
    }
    return false;
}

static enum MHD_Result
on_request(void *data,
           struct MHD_Connection *connection,
           const char *path,
           const char *method,
           const char *version,
           const char *upload,
           size_t *upload_length,
           void **context)
{
    HttpServer *server = data;
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

    if (server->is_tcp && !is_loopback(host))
        return answer_text(connection, MHD_HTTP_MISDIRECTED_REQUEST,
                           "The Host is not this machine");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                           "Only GET and HEAD are answered");
    if (strcmp(path, server->page.path) != 0)
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "There is no such page");
    return answer_page(connection, &server->page);
}

/* Deadlines */

static gboolean
on_deadline(gpointer data)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(data, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (info != NULL)
        shutdown(info->connect_fd, SHUT_RDWR);
    return G_SOURCE_REMOVE;
}

static void
on_connection(void *data,
              struct MHD_Connection *connection,
              void **context,
              enum MHD_ConnectionNotificationCode code)
{
    GSource *deadline = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = deadline = g_timeout_source_new(HTTP_DEADLINE_MS);
        g_source_set_callback(deadline, on_deadline, connection, NULL);
        g_source_attach(deadline, NULL);
        return;
    }
    g_source_destroy(deadline);
    g_source_unref(deadline);
    *context = NULL;
}

/* The server */

static bool
is_tcp(int fd)
{
    int domain = AF_UNIX;
    socklen_t length = sizeof domain;

    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    return domain != AF_UNIX;
}

HttpServer *
http_server_new(int fd, const HttpPage *page, GError **error)
{
    HttpServer *server = g_new0(HttpServer, 1);

    server->page = *page;
    server->is_tcp = is_tcp(fd);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned int) HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int) HTTP_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) MEMORY_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        proto_error_set_internal(error, "socket", "HTTP cannot be served: %s",
                                 g_strerror(errno));
        close(fd);
        g_free(server);
        return NULL;
    }
    server->source = add_source(server->daemon);
    return server;
}

void
http_server_free(HttpServer *server)
{
    if (server == NULL)
        return;
    g_source_destroy(server->source);
    g_source_unref(server->source);
    MHD_stop_daemon(server->daemon);
    g_free(server);
}

int
http_listen_loopback(guint16 port, GError **error)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = g_htons(port),
        .sin_addr.s_addr = g_htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;

    /* What is left of connections that have ended does not keep the port. */
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, (const struct sockaddr *) &address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    proto_error_set_internal(error, "socket", "Listening on port %u of the loopback: %s",
                             port, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}
