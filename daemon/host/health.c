/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/health.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

#include "host/connection.h"

enum {
    PATIENCE_MS = 2000,
    AGENT_SECONDS = 2,
    LINE_BYTES = 64,
    STATUS_GOOD = 200,
    STATUS_BAD = 400
};

/* The agent */

static bool
ask_agent(virDomainPtr domain)
{
    virDomainInterfacePtr *interfaces = NULL;
    int count = 0;

    virDomainAgentSetResponseTimeout(domain, AGENT_SECONDS, 0);
    count = virDomainInterfaceAddresses(domain, &interfaces,
                                        VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0);
    for (int i = 0; i < count; i++) {
        virDomainInterfaceFree(interfaces[i]);
    }
    free(interfaces);
    return count >= 0;
}

/* The address */

static char *
find_by(virDomainPtr domain, unsigned int source)
{
    virDomainInterfacePtr *interfaces = NULL;
    int count = virDomainInterfaceAddresses(domain, &interfaces, source, 0);
    char *found = NULL;

    for (int i = 0; i < count; i++) {
        for (unsigned int j = 0; j < interfaces[i]->naddrs && found == NULL; j++) {
            if (interfaces[i]->addrs[j].type == VIR_IP_ADDR_TYPE_IPV4)
                found = g_strdup(interfaces[i]->addrs[j].addr);
        }
        virDomainInterfaceFree(interfaces[i]);
    }
    free(interfaces);
    return found;
}

static char *
find_address(virDomainPtr domain)
{
    char *found = find_by(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE);

    return found != NULL ? found
                         : find_by(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP);
}

/* The port */

/** A connection and until when it may take. */
typedef struct {
    GSocket *socket;
    gint64 deadline_us;
} Talk;

static bool
wait_for(const Talk *talk, GIOCondition condition, GError **error)
{
    gint64 left_us = talk->deadline_us - g_get_monotonic_time();

    if (left_us <= 0) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "It takes too long");
        return false;
    }
    return g_socket_condition_timed_wait(talk->socket, condition, left_us, NULL, error);
}

static bool
open_talk(const char *address, gint64 port, Talk *ret_talk, GError **error)
{
    g_autoptr(GSocketAddress) place =
        g_inet_socket_address_new_from_string(address, (guint) port);
    g_autoptr(GSocket) socket = NULL;
    Talk talk = { .deadline_us = g_get_monotonic_time() + PATIENCE_MS * 1000 };
    g_autoptr(GError) pending = NULL;

    if (place == NULL) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "\"%s\" is no address", address);
        return false;
    }
    socket = g_socket_new(g_socket_address_get_family(place), G_SOCKET_TYPE_STREAM,
                          G_SOCKET_PROTOCOL_TCP, error);
    if (socket == NULL)
        return false;
    g_socket_set_blocking(socket, FALSE);
    talk.socket = socket;
    if (!g_socket_connect(socket, place, NULL, &pending)) {
        if (!g_error_matches(pending, G_IO_ERROR, G_IO_ERROR_PENDING)) {
            g_propagate_error(error, g_steal_pointer(&pending));
            return false;
        }
        if (!wait_for(&talk, G_IO_OUT, error) ||
            !g_socket_check_connect_result(socket, error))
            return false;
    }
    *ret_talk = talk;
    g_steal_pointer(&socket);
    return true;
}

static bool
send_all(const Talk *talk, const char *text, GError **error)
{
    gsize length = strlen(text);

    for (gsize done = 0; done < length;) {
        gssize sent = 0;

        if (!wait_for(talk, G_IO_OUT, error))
            return false;
        sent = g_socket_send(talk->socket, text + done, length - done, NULL, error);
        if (sent < 0)
            return false;
        done += (gsize) sent;
    }
    return true;
}

/* The beginning of the answer, as much as its first line needs. */
static bool
receive_line(const Talk *talk, char *line, GError **error)
{
    gsize length = 0;

    while (length < LINE_BYTES && memchr(line, '\n', length) == NULL) {
        gssize got = 0;

        if (!wait_for(talk, G_IO_IN, error))
            return false;
        got = g_socket_receive(talk->socket, line + length, LINE_BYTES - length, NULL,
                               error);
        if (got < 0)
            return false;
        if (got == 0)
            break;
        length += (gsize) got;
    }
    line[length] = '\0';
    return true;
}

int
health_read_status(const char *line)
{
    const char *code = line + strlen("HTTP/1.x ");

    if (!g_str_has_prefix(line, "HTTP/1.") || !g_ascii_isdigit(line[7]) || line[8] != ' ')
        return -1;
    for (int i = 0; i < 3; i++) {
        if (!g_ascii_isdigit(code[i]))
            return -1;
    }
    if (g_ascii_isdigit(code[3]))
        return -1;
    return (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
}

static bool
get_page(const Talk *talk,
         const char *address,
         const ProtoWorkerCheckHealthCall *in,
         char **ret_reason,
         GError **error)
{
    g_autofree char *request =
        g_strdup_printf("GET %s HTTP/1.1\r\nHost: %s:%" G_GINT64_FORMAT
                        "\r\nUser-Agent: vmd-host\r\nConnection: close\r\n\r\n",
                        in->path, address, in->port);
    char line[LINE_BYTES + 1] = "";
    int status = 0;

    if (!send_all(talk, request, error) || !receive_line(talk, line, error))
        return false;
    status = health_read_status(line);
    if (status < 0) {
        *ret_reason = g_strdup("what answers is no web server");
    } else if (status < STATUS_GOOD || status >= STATUS_BAD) {
        *ret_reason = g_strdup_printf("%s answers %d", in->path, status);
    }
    return true;
}

/* Why nothing good answers at the port; NULL if it does. */
static char *
ask_port(virDomainPtr domain, const ProtoWorkerCheckHealthCall *in)
{
    g_autofree char *address = find_address(domain);
    g_autoptr(GError) error = NULL;
    Talk talk = { 0 };
    char *reason = NULL;
    bool good = false;

    if (address == NULL)
        return g_strdup("the host knows no address of it");
    good =
        open_talk(address, in->port, &talk, &error) &&
        (in->probe == HEALTH_PROBE_TCP || get_page(&talk, address, in, &reason, &error));
    g_clear_object(&talk.socket);
    if (!good)
        reason =
            g_strdup_printf("port %" G_GINT64_FORMAT ": %s", in->port, error->message);
    return reason;
}

bool
health_check(virConnectPtr libvirt,
             const ProtoWorkerCheckHealthCall *in,
             ProtoWorkerCheckHealthReply *ret_reply,
             GError **error)
{
    g_autoptr(virDomain) domain = virDomainLookupByUUIDString(libvirt, in->id);
    char *reason = NULL;

    if (domain == NULL) {
        connection_set_error(error, "Finding the domain");
        return false;
    }
    if (in->probe != HEALTH_PROBE_AGENT) {
        reason = ask_port(domain, in);
    } else if (!ask_agent(domain)) {
        reason = g_strdup("its agent does not answer");
    }
    *ret_reply = (ProtoWorkerCheckHealthReply){ reason == NULL, reason };
    return true;
}
