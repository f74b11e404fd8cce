/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "meter/bookkeeper.h"
#include "meter/controller.h"
#include "meter/identity.h"
#include "meter/store.h"
#include "wire/server.h"

/**
 * What vmd-meter serves: io.vmctl and io.vmctl.Billing.  A handler finds out who asks,
 * brings the store up to now, and hands over to a report.
 */
typedef struct {
    MeterStore *store;
    Controller *controller;
    IdentityBook *identities;
    Bookkeeper *bookkeeper;
    /** How long after its end a period may be closed. */
    gint64 grace_hours;
    /** Who provides what is billed, and sends the invoices. */
    const char *operator_name;
    /** One at a time; see closing.h. */
    bool is_closing;
    gint64 started_boot_ms;
} Meter;

/** meter must outlive the server. */
WireServer *meter_server_new(Meter *meter);
