/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/envelope.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto.h"
#include "wire/guard.h"

enum {
    CONNECT_SECONDS = 10
};

void
envelope_append_call(GString *out, const char *method, const char *parameters, bool more)
{
    g_string_append(out, "{\"method\":");
    wire_json_append_string(out, method);
    if (parameters != NULL) {
        g_string_append(out, ",\"parameters\":");
        g_string_append(out, parameters);
    }
    g_string_append(out, more ? ",\"more\":true}" : "}");
    g_string_append_c(out, '\0');
}

void
envelope_reply_clear(EnvelopeReply *reply)
{
    g_clear_object(&reply->parser);
    reply->parameters = NULL;
}

static bool
refuse(GError **error, const char *why)
{
    proto_error_set_internal(error, "protocol", "The service's answer cannot be read: %s",
                             why);
    return false;
}

static JsonObject *
get_object(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
                                                        : NULL;
}

bool
envelope_read_reply(const char *message,
                    gsize length,
                    EnvelopeReply *ret_reply,
                    GError **error)
{
    const WireLimits limits = WIRE_LIMITS_PEER;
    g_autoptr(JsonParser) parser = NULL;
    g_autoptr(GError) inner = NULL;
    JsonObject *object = NULL;
    const char *name = NULL;

    if (!guard_check(message, length, &limits, &inner))
        return refuse(error, inner->message);
    parser = json_parser_new_immutable();
    if (!json_parser_load_from_data(parser, message, (gssize) length, &inner))
        return refuse(error, inner->message);
    object = json_node_get_object(json_parser_get_root(parser));
    name = json_object_get_string_member_with_default(object, "error", NULL);
    if (name != NULL) {
        g_propagate_error(error,
                          wire_error_from_reply(name, get_object(object, "parameters")));
        return false;
    }
    *ret_reply = (EnvelopeReply){
        .parser = g_steal_pointer(&parser),
        .parameters = get_object(object, "parameters"),
        .continues =
            json_object_get_boolean_member_with_default(object, "continues", FALSE),
    };
    return true;
}

static const char *
get_hint(int code)
{
    switch (code) {
    case ENOENT:
    case ECONNREFUSED:
        return "is vmd running? (systemctl start vmd, or tools/demo --start-only)";
    case EACCES:
        return "you may not open it: ask to be let into the socket's group";
    default:
        return "the service does not take connections now";
    }
}

int
envelope_connect(const char *path, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    /* On a Unix socket this bounds connect() too, when the service's backlog is full. */
    struct timeval bound = { .tv_sec = CONNECT_SECONDS };
    int fd = -1;

    if (strlen(path) >= sizeof address.sun_path) {
        proto_error_set_invalid_parameter(error, "socket", "is too long",
                                          "The socket's path is too long: %s", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
    if (connect(fd, (struct sockaddr *) &address, sizeof address) != 0) {
        int code = errno;

        close(fd);
        proto_error_set_host_unreachable(error, path, "Connecting to %s: %s; %s", path,
                                         g_strerror(code), get_hint(code));
        return -1;
    }
    return fd;
}
