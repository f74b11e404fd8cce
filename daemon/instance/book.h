/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/config.h"
#include "fleet/fleet.h"
#include "instance/load.h"
#include "instance/readings.h"
#include "ledger/ledger.h"
#include "ledger/steps.h"
#include "model/lifecycle.h"
#include "model/quota.h"
#include "op/operation.h"
#include "store/store.h"
#include "template/template.h"
#include "tenant/tenant.h"

/**
 * All instances, in memory, and how they change: every change goes through instance_put()
 * in a transaction.
 */
typedef struct InstanceBook InstanceBook;
typedef struct Instance Instance;

/** A tenant, as one that has instances. */
typedef struct {
    /** The set of them. */
    GHashTable *instances;
    /** The set of those that are kept apart from others, in all cases. */
    GHashTable *apart;
    /** The sum of what they hold, see held.h. */
    Quota held;
} BookTenant;

/** A host, as one that is asked for its instances. */
typedef struct {
    InstanceBook *book;
    Host *host;
    /** The sum of what those on it hold, see held.h. */
    Quota held;
    /** A reading of counters is under way. */
    bool is_ticking;
} BookHost;

struct Instance {
    ProtoInstanceRecord record;
    InstanceReadings readings;
    InstanceLoad load;
    /** What of it is in the sums, and in which host's or NULL; see held.h. */
    Quota held;
    BookHost *held_on;
    InstanceBook *book;
    /** Callers of Wait. */
    GSList *waits;
    /** The host told of a change while an operation was under way. */
    bool needs_look;
    /** When its state changed, by the clock that runs since boot; 0: in another life. */
    gint64 moved_boot_ms;
    /** When the host last told that its domain is on, by the ledger's clock; 0: not yet.
     */
    gint64 seen_ms;
    /** It ended while nobody asked for that, and why is not known yet. */
    bool lacks_reason;
    /** The newest run written down that is in the ledger, by the host's wall clock. */
    gint64 run_wall_ms;
    /** A stop that waits for the guest to power off, its next look, and whether one is
     * under way: the stop cannot end before that comes back. */
    Operation *stopping;
    guint stop_source;
    bool is_looking;
};

/** Whoever keeps sets of instances: is told of each change of one that is a member of a
 * group, in the transaction of the change. */
typedef struct {
    /** It is written; perhaps it is new. */
    void (*put)(Instance *instance, StoreTx *tx, gpointer data);
    /** It is taken off the book. */
    void (*removed)(Instance *instance, StoreTx *tx, gpointer data);
    /** The counters of all on a host were read. */
    void (*ticked)(gpointer data);
    gpointer data;
} InstanceListener;

struct InstanceBook {
    Store *store;
    OperationEngine *engine;
    TenantBook *tenants;
    TemplateBook *templates;
    Fleet *fleet;
    const Config *config;
    /** id to Instance. */
    GHashTable *by_id;
    /** "tenant/name" to Instance, in order. */
    GTree *by_name;
    /** Tenant to BookTenant, from its first instance on. */
    GHashTable *by_tenant;
    LedgerClock clock;
    guint clock_source;
    /** Name to BookHost. */
    GHashTable *hosts;
    /** The next reading of counters. */
    guint tick_source;
    /** The next look at tenants that are disabled. */
    guint disabled_source;
    /** All NULL: nobody listens. */
    InstanceListener listener;
};

/** Makes the book and adds the workflows of instances to the engine. */
InstanceBook *instance_book_new(Store *store,
                                OperationEngine *engine,
                                TenantBook *tenants,
                                TemplateBook *templates,
                                Fleet *fleet,
                                const Config *config);
void instance_book_free(InstanceBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(InstanceBook, instance_book_free)

/** Reads the instances; after the templates and the operations. */
bool instance_book_load(InstanceBook *book, GError **error);

/** By id, or NULL. */
Instance *instance_get(InstanceBook *book, const char *id);

/** By name within a tenant, or NULL. */
Instance *instance_get_by_name(InstanceBook *book, const char *tenant, const char *name);

/**
 * By id or name, as tenant sees it; is_admin sees every tenant's ids.  What is not theirs
 * is not there: fails with PROTO_ERROR_NOT_FOUND either way.
 */
Instance *instance_find(InstanceBook *book,
                        const char *tenant,
                        bool is_admin,
                        const char *text,
                        GError **error);

/** Adds a new one to the book; it is not written yet. */
void instance_add(InstanceBook *book, Instance *instance);

/** Writes it, and tells who waits for it once that is on disk. */
void instance_put(Instance *instance, StoreTx *tx);

/** Takes it off the book and deletes its row; it is freed once that is on disk. */
void instance_remove(Instance *instance, StoreTx *tx);

/**
 * Takes the lifecycle's edge: state, event, ledger and row.  reason is shown with the
 * state, cause stands in the ledger.  An edge that the table does not have is left, with
 * a warning.
 */
void instance_transition(Instance *instance,
                         StoreTx *tx,
                         LifecycleEvent event,
                         const char *reason,
                         const char *cause);

/** The same of a change that is learnt late; when is not after now. */
void instance_transition_at(Instance *instance,
                            StoreTx *tx,
                            LifecycleEvent event,
                            const LedgerMoment *when,
                            const char *reason,
                            const char *cause);

/** Brings the ledger in line with the instance, see ledger_cut(); before that, all of it
 * with the wall clock if that has stepped.  when may be NULL: now. */
void instance_cut(Instance *instance,
                  StoreTx *tx,
                  LifecycleBilling billing,
                  const LedgerMoment *when,
                  const char *cause);

/** Cuts all open segments if the wall clock has stepped: before the ledger is read.  It
 * is looked at from time to time without that. */
void instance_book_follow_clock(InstanceBook *book);

/** What it holds of its tenant's quota and its host's capacity: the largest of what it
 * has and is to have. */
ProtoSize instance_get_held_size(Instance *instance);

/** The size that the next start gives it. */
ProtoSize instance_get_next_size(const Instance *instance);

/** Whether it runs or stands still, as far as is known. */
bool instance_is_on(const Instance *instance);

/** The host that it is on; NULL when that is not there any more. */
Host *instance_get_host(const Instance *instance);

/** By name; NULL if it never had an instance. */
BookTenant *instance_book_get_tenant(InstanceBook *book, const char *name);

/** By name; NULL if there is none, and for NULL. */
BookHost *instance_book_get_host(InstanceBook *book, const char *name);

/** Whether it is on this host. */
bool instance_is_on_host(const Instance *instance, const char *host);

/** When its host last told of it; NULL: never. */
char *instance_get_seen_at(const Instance *instance);

/** Calls its host, see host_call(). */
void instance_call(const Instance *instance,
                   HostLane lane,
                   const WireMethod *method,
                   const void *in,
                   gint64 timeout_ms,
                   WireLinkReply reply,
                   gpointer data);

/** What a tenant's instances hold, by walking through them; NULL for all. */
Quota instance_book_sum(InstanceBook *book, const char *tenant);

/** Fails with PROTO_ERROR_CONFLICT when an operation is under way, and
 * PROTO_ERROR_ILLEGAL_STATE as the table says. */
bool instance_permit(Instance *instance, OperationKind kind, GError **error);

/** The instance that an operation works on; NULL when it is gone. */
Instance *instance_of_operation(Operation *operation);

/** Parks a caller of Wait, or answers at once. */
void instance_wait(Instance *instance, WireCall *call, Until until, gint64 timeout_ms);

/** Answers the callers whose wait is over. */
void instance_tell_waits(Instance *instance);
void instance_waits_free(Instance *instance);
