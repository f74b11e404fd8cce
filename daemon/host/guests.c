/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/guests.h"

#include <stdlib.h>
#include <string.h>

#include "host/domain.h"

/*
 * A guest may hold its agent's channel open and say nothing: a look at it then takes all
 * the time that there is.  Such looks come in a lane of their own, where they keep
 * nothing but other looks waiting, and after each the guest waits twice as long for the
 * next.  Nothing that a guest does makes that shorter, only another start of its domain.
 */

enum {
    /** Doubled before each wait. */
    FIRST_WAIT_MS = 125,
    LAST_WAIT_MS = 2000,
    LAST_SILENT_WAIT_MS = 600000,
    /** A look that takes longer is one at a guest that says nothing. */
    SILENT_MS = 1000,
    LOOKS_MAX = 150,
    AGENT_SECONDS = 2
};

typedef struct {
    Guests *guests;
    char *id;
    bool agent;
    char **addresses;
    guint looks;
    guint wait_ms;
    guint source;
    bool is_looking;
    /** Taken off the table while a look was under way. */
    bool is_gone;
} Guest;

struct Guests {
    Connection *connection;
    Jobs *jobs;
    void (*changed)(const char *id, gpointer data);
    gpointer data;
    GHashTable *by_id;
};

/** One look, made on a thread. */
typedef struct {
    Guest *guest;
    char *id;
    bool agent;
    char **addresses;
    gint64 took_ms;
} Look;

static void look(Guest *guest);

static void
guest_free(Guest *guest)
{
    g_clear_handle_id(&guest->source, g_source_remove);
    if (guest->is_looking) {
        guest->is_gone = true;
        return;
    }
    g_free(guest->id);
    g_strfreev(guest->addresses);
    g_free(guest);
}

static bool
is_useful(const virDomainIPAddress *address)
{
    return address->type == VIR_IP_ADDR_TYPE_IPV4
               ? !g_str_has_prefix(address->addr, "127.")
               : !g_str_has_prefix(address->addr, "fe80") &&
                     strcmp(address->addr, "::1") != 0;
}

static void
collect(const virDomainInterface *interface, int type, GPtrArray *addresses)
{
    if (g_strcmp0(interface->name, "lo") == 0)
        return;
    for (unsigned int i = 0; i < interface->naddrs; i++) {
        if (interface->addrs[i].type == type && is_useful(&interface->addrs[i]))
            g_ptr_array_add(addresses, g_strdup(interface->addrs[i].addr));
    }
}

/* Asks the agent; IPv4 addresses come first. */
static bool
ask(virDomainPtr domain, char ***ret_addresses)
{
    g_autoptr(GPtrArray) addresses = g_ptr_array_new();
    virDomainInterfacePtr *interfaces = NULL;
    int count = 0;

    virDomainAgentSetResponseTimeout(domain, AGENT_SECONDS, 0);
    count = virDomainInterfaceAddresses(domain, &interfaces,
                                        VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        collect(interfaces[i], VIR_IP_ADDR_TYPE_IPV4, addresses);
    }
    for (int i = 0; i < count; i++) {
        collect(interfaces[i], VIR_IP_ADDR_TYPE_IPV6, addresses);
        virDomainInterfaceFree(interfaces[i]);
    }
    free(interfaces);
    g_ptr_array_add(addresses, NULL);
    *ret_addresses = (char **) g_ptr_array_free(g_steal_pointer(&addresses), FALSE);
    return true;
}

static void
work(gpointer data)
{
    Look *seen = data;
    g_autoptr(virConnect) libvirt =
        connection_open(seen->guest->guests->connection, NULL);
    g_autoptr(virDomain) domain = NULL;
    gint64 begun_us = g_get_monotonic_time();

    if (libvirt == NULL)
        return;
    domain = virDomainLookupByUUIDString(libvirt, seen->id);
    if (domain != NULL)
        seen->agent = ask(domain, &seen->addresses);
    seen->took_ms = (g_get_monotonic_time() - begun_us) / G_TIME_SPAN_MILLISECOND;
}

static gboolean
look_again(gpointer data)
{
    Guest *guest = data;

    guest->source = 0;
    look(guest);
    return G_SOURCE_REMOVE;
}

/* Takes what was seen; true if it is news. */
static bool
take(Guest *guest, Look *seen)
{
    bool same = guest->agent == seen->agent &&
                g_strv_length(guest->addresses) == g_strv_length(seen->addresses) &&
                g_strv_equal((const char *const *) guest->addresses,
                             (const char *const *) seen->addresses);

    g_strfreev(guest->addresses);
    guest->addresses = g_steal_pointer(&seen->addresses);
    guest->agent = seen->agent;
    return !same;
}

static bool
was_silent(const Guest *guest)
{
    return guest->wait_ms > LAST_WAIT_MS;
}

static void
wait_longer(Guest *guest, gint64 took_ms)
{
    if (took_ms > SILENT_MS) {
        guest->wait_ms =
            (guint) MIN(2 * MAX(guest->wait_ms, took_ms), LAST_SILENT_WAIT_MS);
    } else if (!was_silent(guest)) {
        guest->wait_ms = MIN(guest->wait_ms * 2, LAST_WAIT_MS);
    }
}

static void
done(gpointer data)
{
    Look *seen = data;
    Guest *guest = seen->guest;

    guest->is_looking = false;
    if (seen->addresses == NULL)
        seen->addresses = g_new0(char *, 1);
    if (guest->is_gone) {
        guest_free(guest);
    } else {
        bool news = take(guest, seen);
        bool complete = guest->agent && *guest->addresses != NULL;

        wait_longer(guest, seen->took_ms);
        if (!complete && ++guest->looks < LOOKS_MAX)
            guest->source = g_timeout_add(guest->wait_ms, look_again, guest);
        if (news)
            guest->guests->changed(guest->id, guest->guests->data);
    }
    g_strfreev(seen->addresses);
    g_free(seen->id);
    g_free(seen);
}

static void
look(Guest *guest)
{
    Look *seen = g_new0(Look, 1);

    seen->guest = guest;
    seen->id = g_strdup(guest->id);
    guest->is_looking = true;
    jobs_push(guest->guests->jobs, JOB_GUEST, NULL, work, done, seen);
}

Guests *
guests_new(Connection *connection,
           Jobs *jobs,
           void (*changed)(const char *id, gpointer data),
           gpointer data)
{
    Guests *guests = g_new0(Guests, 1);

    *guests = (Guests){ connection, jobs, changed, data, NULL };
    guests->by_id =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify) guest_free);
    return guests;
}

static void
begin(Guest *guest)
{
    guest->looks = 0;
    guest->wait_ms = FIRST_WAIT_MS;
    g_clear_handle_id(&guest->source, g_source_remove);
    if (!guest->is_looking)
        look(guest);
}

void
guests_watch(Guests *guests, const char *id)
{
    Guest *guest = NULL;

    if (g_hash_table_contains(guests->by_id, id))
        return;
    guest = g_new0(Guest, 1);
    guest->guests = guests;
    guest->id = g_strdup(id);
    guest->addresses = g_new0(char *, 1);
    g_hash_table_insert(guests->by_id, guest->id, guest);
    begin(guest);
}

void
guests_hear(Guests *guests, const char *id)
{
    Guest *guest = g_hash_table_lookup(guests->by_id, id);

    if (guest == NULL) {
        guests_watch(guests, id);
    } else if (!was_silent(guest)) {
        begin(guest);
    } else if (guest->source == 0 && !guest->is_looking) {
        guest->source = g_timeout_add(guest->wait_ms, look_again, guest);
    }
}

void
guests_forget(Guests *guests, const char *id)
{
    g_hash_table_remove(guests->by_id, id);
}

void
guests_forget_all(Guests *guests)
{
    g_hash_table_remove_all(guests->by_id);
}

void
guests_fill(Guests *guests, ProtoDomain *domain)
{
    const Guest *guest = g_hash_table_lookup(guests->by_id, domain->id);

    if (guest == NULL || domain->state != DOMAIN_STATE_RUNNING)
        return;
    domain->agent = guest->agent;
    g_strfreev(domain->addresses);
    domain->addresses = g_strdupv(guest->addresses);
}
