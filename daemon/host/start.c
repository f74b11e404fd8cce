/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/start.h"

#include <string.h>

#include "host/domain.h"

/*
 * How it works
 *
 * That a process of QEMU has ended is put into a queue that all domains of a libvirt
 * share, and whoever takes it out does not ask which process it was of: if the domain has
 * been started again meanwhile, the new one is ended for it (libvirt 9.0:
 * qemuProcessHandleMonitorEOF() and processMonitorEOFEvent()).  It takes a domain that
 * was busy when its power was cut, and another that keeps the queue waiting.
 *
 * So a domain whose power was cut starts with its processors at a stand, and a port that
 * leads nowhere is put in and taken out: libvirt learns through the same queue that it is
 * gone, after all that was in there before.  Then the guest runs.  A process that is
 * ended until then has not done anything, and there is another start.
 */

#define PORT_ALIAS "ua-vmctl-start"
#define PORT                                                                             \
    "<channel type='null'>"                                                              \
    "<target type='virtio' name='io.vmctl.start'/><alias name='" PORT_ALIAS "'/>"        \
    "</channel>"

enum {
    STARTS_MAX = 3,
    /* libvirt itself waits for a domain that is busy for 30 s. */
    QUEUE_MS = 40000,
    LOOK_FIRST_US = 2000,
    LOOK_LAST_US = 100000
};

static bool
is_in(virDomainPtr domain, int state, int *ret_reason)
{
    int now = 0;

    return virDomainGetState(domain, &now, ret_reason, 0) == 0 && now == state;
}

/* Whether libvirt may have something in its queue that would end the domain.  One that is
 * paused was left in the midst of such a start. */
static bool
needs_care(virDomainPtr domain)
{
    int reason = 0;

    return is_in(domain, VIR_DOMAIN_PAUSED, NULL) ||
           (is_in(domain, VIR_DOMAIN_SHUTOFF, &reason) &&
            (reason == VIR_DOMAIN_SHUTOFF_DESTROYED ||
             reason == VIR_DOMAIN_SHUTOFF_FAILED));
}

static bool
has_port(virDomainPtr domain)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);

    return xml != NULL && strstr(xml, PORT_ALIAS) != NULL;
}

/* Returns once the queue is known to have been worked off, or the domain is off. */
static void
wait_for_queue(virDomainPtr domain, gint64 until_us)
{
    gulong look_us = LOOK_FIRST_US;

    if (!has_port(domain))
        virDomainAttachDeviceFlags(domain, PORT, VIR_DOMAIN_AFFECT_LIVE);
    virDomainDetachDeviceAlias(domain, PORT_ALIAS, VIR_DOMAIN_AFFECT_LIVE);
    while (has_port(domain)) {
        if (g_get_monotonic_time() > until_us) {
            g_warning("%s: libvirt is late by more than %d s; the guest is run now",
                      virDomainGetName(domain), QUEUE_MS / 1000);
            return;
        }
        g_usleep(look_us);
        look_us = MIN(2 * look_us, LOOK_LAST_US);
    }
}

static bool
create(virDomainPtr domain, bool with_care, GError **error)
{
    if (virDomainCreateWithFlags(domain, with_care ? VIR_DOMAIN_START_PAUSED : 0) == 0)
        return true;
    connection_set_error(error, "Starting the domain");
    if (virDomainIsActive(domain) != 1)
        return false;
    g_clear_error(error);
    return true;
}

bool
start_resume(virDomainPtr domain, GError **error)
{
    if (virDomainResume(domain) == 0)
        return true;
    connection_set_error(error, "Resuming the domain");
    if (!is_in(domain, VIR_DOMAIN_RUNNING, NULL))
        return false;
    g_clear_error(error);
    return true;
}

static bool
let_run(virDomainPtr domain, gint64 until_us, GError **error)
{
    wait_for_queue(domain, until_us);
    return start_resume(domain, error);
}

bool
start_domain(virDomainPtr domain, GError **error)
{
    gint64 until_us = g_get_monotonic_time() + QUEUE_MS * G_TIME_SPAN_MILLISECOND;
    bool with_care = needs_care(domain);

    for (int left = STARTS_MAX; create(domain, with_care, error); left--) {
        if (!with_care || let_run(domain, until_us, error))
            return true;
        if (left == 1 || virDomainIsActive(domain) != 0)
            return false;
        g_clear_error(error);
        g_message("%s: libvirt ended it for its last run, before it ran; it is started "
                  "again",
                  virDomainGetName(domain));
    }
    return false;
}
