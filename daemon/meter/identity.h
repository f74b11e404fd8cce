/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "meter/controller.h"
#include "proto.h"

/**
 * Who the callers are: vmd knows, and its answers hold for a short time.  While it is
 * away, uid 0 is an admin and who was not known a moment ago is refused.
 */
typedef struct IdentityBook IdentityBook;

typedef struct {
    uid_t uid;
    const char *tenant;
    Role role;
} Identity;

/** identity is borrowed; NULL with an error. */
typedef void (*IdentityFound)(const Identity *identity,
                              const GError *error,
                              gpointer data);

/** controller must outlive it, but for what it tells when it is freed. */
IdentityBook *identity_book_new(Controller *controller);
void identity_book_free(IdentityBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdentityBook, identity_book_free)

/** found may be called at once. */
void identity_find(IdentityBook *book, uid_t uid, IdentityFound found, gpointer data);
