/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "sim/bills/facts.h"

/**
 * The life of instances, as chance will have it: they are made, changed, renamed and
 * destroyed, use things, and some of it is learnt late.  Each act is rows of the ledger,
 * and stands in the facts.
 */

/** facts must outlive it. */
void life_begin(Facts *facts);

/** The ledger's clock. */
gint64 life_now_ms(void);

/** Time passes, and nothing happens. */
void life_wait(gint64 ms);

/** Something happens. */
void life_act(void);

/** Every instance of a tenant is destroyed, for ever. */
void life_remove_tenant(guint tenant);

/** How the instances stand, to put them back to it when their ledger was put back; free
 * with g_free(). */
gpointer life_copy(void);
void life_put_back(gconstpointer copy);

/** What instance n is called in the ledger; free with g_free(). */
char *life_make_id(guint instance);

/** The name and the value of the label that a look stands for; free with g_free(). */
char *life_make_name(guint look);
char *life_make_label(guint look);
