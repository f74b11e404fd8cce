/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tenant/tenant.h"

/**
 * Tokens of tenants.  A secret is 256 bits of chance, told once; what is kept is its
 * SHA-256, which for as much chance is as good as anything slower.  A token is good until
 * it is revoked or its time is over, which is counted by the boot clock and over a start
 * of the machine by the wall clock.
 */

/**
 * Makes one for a tenant that has a row, in tx.  A token of the same name that the same
 * request made gets another secret.  Free secret.  Fails with PROTO_ERROR_ALREADY_EXISTS
 * or PROTO_ERROR_TOO_LARGE.
 */
const ProtoTokenRecord *token_create(TenantBook *book,
                                     StoreTx *tx,
                                     const char *tenant,
                                     const ProtoTenantCreateTokenCall *in,
                                     const Actor *actor,
                                     char **ret_secret,
                                     GError **error);

/** The token of that secret, if it is good; else NULL. */
const ProtoTokenRecord *token_find_secret(TenantBook *book, const char *secret);

/** The token of that id, if it is good; else NULL. */
const ProtoTokenRecord *token_find(TenantBook *book, const char *id);

bool token_has_expired(const ProtoTokenRecord *token);

/** Takes the token with that id or name from its tenant, in tx, and gives what it was, or
 * NULL.  Release it with proto_token_clear() and g_free(). */
ProtoToken *token_revoke(TenantBook *book,
                         StoreTx *tx,
                         const char *tenant,
                         const char *text,
                         const Actor *actor);
