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
    /** The tenant that it acts for if none is named, and what it is there; empty: it has
     * to name one. */
    const char *tenant;
    Role role;
    /** The id of its token, or NULL. */
    const char *token;
    /** All that it is a member of. */
    const ProtoRight *rights;
    gsize n_rights;
} Identity;

/** identity is borrowed; NULL with an error. */
typedef void (*IdentityFound)(const Identity *identity,
                              const GError *error,
                              gpointer data);

/** controller must outlive it, but for what it tells when it is freed. */
IdentityBook *identity_book_new(Controller *controller);
void identity_book_free(IdentityBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdentityBook, identity_book_free)

/** Who has that uid, or the token with that secret if it is not NULL.  A token is asked
 * for each time, for it may be revoked.  found may be called at once. */
void identity_find(IdentityBook *book,
                   uid_t uid,
                   const char *secret,
                   IdentityFound found,
                   gpointer data);

/** What it is in the tenant; false if that is nothing. An admin is one everywhere, also
 * where it has no part: this tells of those that it has. */
bool identity_get_role(const Identity *identity, const char *tenant, Role *ret_role);

/** With all that it points to. */
Identity *identity_copy(const Identity *identity);
void identity_free(Identity *identity);
