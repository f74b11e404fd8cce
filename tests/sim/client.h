/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "wire/schema.h"

/**
 * The clients: some tenants and an admin, who ask for changes at random.  A client that
 * got no answer asks again with the same request id, as long as it takes; one that got an
 * answer may ask again too, and must get the same.
 */
void client_begin(void);
void client_end(void);

/** A connection: of a tenant, or of the admin. */
typedef struct Client Client;

/** Asks for it.  What in points to is the client's from here on; request_id is part of
 * it, or NULL: then it is not asked again. */
void client_ask(Client *client,
                const WireMethod *method,
                gconstpointer in,
                const char *request_id);

/** Whether that is whom it asks for. */
bool client_is_of(const Client *client, const char *tenant);

/** A new request id; sometimes none. */
char *client_make_id(void);

/** vmd is up: connects all, and asks again what was not answered. */
void client_connect(void);

/** One of them asks for something. */
void client_act(void);

/** Nobody waits for an answer. */
bool client_is_content(void);

/** Blames what vmd, which is at rest, has not kept of what it answered. */
void client_check(void);

/** How many requests were answered with an operation. */
guint client_count_accepted(void);
