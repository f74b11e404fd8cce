/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "meter/store.h"
#include "proto.h"
#include "store/ledger-topics.h"

/**
 * The way to vmd: follows its ledger into the store, and asks it things.  Comes back by
 * itself, ever more slowly, when vmd is away or its ledger does not fit to what is held.
 * Main loop only.
 */
typedef struct Controller Controller;

/** Starts at once.  store must outlive it. */
Controller *controller_new(const char *path, MeterStore *store);

/** Who waits is told that there is no answer. */
void controller_free(Controller *controller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Controller, controller_free)

/** Whether rows of the ledger come in as they are made. */
bool controller_is_following(const Controller *controller);

/** Whether all was known at one time since the start. */
bool controller_is_current(const Controller *controller);

/** An answer of vmd; NULL with an error, which is PROTO_ERROR_HOST_UNREACHABLE or
 * PROTO_ERROR_DEADLINE when there is none. */
typedef void (*ControllerWho)(const ProtoVmctlWhoAmIReply *who,
                              const GError *error,
                              gpointer data);

/** Asks who uid is, or who holds the token with that secret if it is not NULL.  done may
 * be called at once. */
void controller_ask_who(Controller *controller,
                        uid_t uid,
                        const char *secret,
                        ControllerWho done,
                        gpointer data);

/**
 * Brings the store up to now as far as can be done soon: it then knows of every change
 * that was finished before the call.  When vmd is away it stays as it is.  done may be
 * called at once.
 */
void
controller_refresh(Controller *controller, void (*done)(gpointer data), gpointer data);

/** seq is the row of a note; 0 with an error. */
typedef void (*ControllerNoted)(gint64 seq, const GError *error, gpointer data);

/** Has vmd add an entry to the ledger, after the newest one, follows.  done may be called
 * at once. */
void controller_note(Controller *controller,
                     gint64 follows,
                     LedgerTopic topic,
                     const char *tenant,
                     const char *note,
                     ControllerNoted done,
                     gpointer data);

/** Where the ledger stands; NULL with an error. */
typedef void (*ControllerHead)(const ProtoLedgerGetHeadReply *head,
                               const GError *error,
                               gpointer data);

/** Asks where the ledger stands.  done may be called at once. */
void controller_ask_head(Controller *controller, ControllerHead done, gpointer data);

/** error is NULL once what is held is in a file. */
typedef void (*ControllerKept)(const GError *error, gpointer data);

/** Writes the rows that are held to a file, see meter/lost.h, a few in each turn of the
 * main loop.  done may be called at once. */
void controller_keep_lost(Controller *controller, ControllerKept done, gpointer data);

/** Forgets what is held, and reads the ledger from its first row on: a fork in which rows
 * that are held are lost was accepted.  They are kept first; if they cannot be, nothing
 * is forgotten, and it is tried again. */
void controller_read_anew(Controller *controller);

/** hash is that of the row, 64 hexadecimal digits; NULL with an error, or if there is no
 * such row. */
typedef void (*ControllerHash)(const char *hash, const GError *error, gpointer data);

/** Asks what hash row seq of the ledger has now.  done may be called at once. */
void controller_ask_hash(Controller *controller,
                         gint64 seq,
                         ControllerHash done,
                         gpointer data);
