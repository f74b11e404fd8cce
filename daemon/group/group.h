/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/config.h"
#include "group/plan.h"
#include "instance/book.h"
#include "op/operation.h"
#include "store/store.h"
#include "template/template.h"
#include "tenant/tenant.h"

/** The spread over hosts; another one is over the values of that label of theirs. */
#define GROUP_SPREAD_HOST "host"

/** By this label the members of a group that is spread are kept apart. */
#define GROUP_LABEL "group"

/**
 * All groups, in memory.  A group is what is wanted; which instances are its members
 * stands with them, so there is nothing that could disagree.  keep.h brings the one to
 * the other.
 */
typedef struct GroupBook GroupBook;

typedef struct {
    /** What of view is counted (members and the like, state, reason) is as group_count()
     * left it. */
    ProtoGroupRecord record;
    GroupBook *book;
    /** The set of its Instances. */
    GHashTable *members;
    /** Instance id to GroupHealth; from when on its silence counts; the next round. */
    GHashTable *health;
    gint64 health_from_ms;
    guint health_source;
    /** The operation that waits for it to be as wanted, or NULL. */
    Operation *settling;
    /** What somebody pushed, in thousandths, and when; 0: nothing. */
    gint64 metric;
    gint64 metric_ms;
    /** When its schedule says something next; 0: never. */
    gint64 schedule_ms;
    /** A look that is due at once, and one at a time. */
    guint look_source;
    guint wake_source;
    /** Why a member could not even be asked for, how often in a row, and when that is
     * tried again; NULL: nothing is in the way. */
    char *hindrance;
    guint n_hindered;
    gint64 hindered_until_ms;
} Group;

struct GroupBook {
    Store *store;
    OperationEngine *engine;
    InstanceBook *instances;
    GroupPatience patience;
    /** id to Group. */
    GHashTable *by_id;
    /** "tenant/name" to Group, in order. */
    GTree *by_name;
    /** Questions about members' health: those that wait, and those that are asked. */
    GQueue questions;
    GQueue asked;
};

/** Makes the book, listens to instances, and adds the workflows of groups to their
 * engine. */
GroupBook *group_book_new(InstanceBook *instances);
void group_book_free(GroupBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GroupBook, group_book_free)

/** Reads the groups; after the instances. */
bool group_book_load(GroupBook *book, GError **error);

/** Has every group looked at: when a host is back, or a tenant may change things again.
 */
void group_book_kick(GroupBook *book);

/** By id, or NULL. */
Group *group_get(GroupBook *book, const char *id);

/** The tenant's, by id or name.  Fails with PROTO_ERROR_NOT_FOUND. */
Group *group_find(GroupBook *book, const char *tenant, const char *text, GError **error);

/** Of one that is not in the book. */
void group_free(Group *group);

/** Adds a new one to the book; it is not written yet. */
void group_add(GroupBook *book, Group *group);
void group_put(Group *group, StoreTx *tx);

/** Takes it off the book and deletes its row; it has no members any more. */
void group_remove(Group *group, StoreTx *tx);

/** The group that an operation works on; NULL when it is gone. */
Group *group_of_operation(Operation *operation);
