/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/money/books.h"
#include "meter/rpc.h"
#include "meter/view.h"

/**
 * A call of which it was found out who makes it and that the role suffices, and for which
 * the store, and with ask_start() the books, were brought up to now.
 */
typedef struct {
    WireCall *call;
    Meter *meter;
    /** Of the call; lives as long as it does. */
    const void *in;
    Identity *identity;
    bool is_admin;
} Ask;

/** Answers, or fails, the call. */
typedef void (*AskReady)(const Ask *ask);

/** Calls ready when all is there; fails the call if the caller is less than its method
 * needs. */
void ask_start(WireCall *call, const void *in, AskReady ready);

/** The same for what is asked of facts alone: the books may be at odds. */
void ask_start_without_books(WireCall *call, const void *in, AskReady ready);

/**
 * Whose figures are meant: asked, or if that is NULL the caller's own, or everybody's,
 * which is NULL, for an admin.  Fails if the caller may not, with the same words if it
 * has no part in the tenant and if there is none.  ret_tenant lives as long as ask and
 * its call.
 */
bool ask_find_tenant(const Ask *ask,
                     const char *asked,
                     const char **ret_tenant,
                     GError **error);

/** Whether tenant, which was found, ever had something: an admin may ask for whoever has,
 * and anybody for its own.  NULL is always there. */
bool ask_check_there(const Ask *ask, View *view, const char *tenant, GError **error);

/** All that is in the books by now. */
BooksAt ask_get_books(const Ask *ask);

/** What vmd's clock said last; this machine's if it never answered. */
gint64 ask_get_now_ms(const Ask *ask);
