/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "proto.h"

/** The ledger of a vmd: its rows, packed and chained.  It never dies, but may be put back
 * to an older copy of itself.  There is one. */
void ledger_begin(void);
void ledger_end(void);

const char *ledger_get_service_id(void);

/** Numbers a row, which is booked at an instant, and returns its number.  Takes what row
 * owns. */
gint64 ledger_add(ProtoLedgerRow *row, gint64 at_ms);

/** The number of the newest row, and of the newest entry of the books; 0: none. */
gint64 ledger_count(void);
gint64 ledger_get_note(void);

/** The row that tells of a fork which no entry of the books has accepted; 0: none. */
gint64 ledger_get_fork(void);

gint64 ledger_get_time(gint64 seq);

/** 64 hexadecimal digits; free with g_free(). */
char *ledger_get_hash(gint64 seq);

/** The rows after one and up to another, one behind the other. */
const guint8 *ledger_read(gint64 after, gint64 until, gsize *ret_length);

/** Forgets the rows after one. */
void ledger_cut(gint64 seq);
