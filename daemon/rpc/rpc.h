/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/config.h"
#include "fleet/fleet.h"
#include "group/group.h"
#include "instance/book.h"
#include "op/operation.h"
#include "store/store.h"
#include "template/template.h"
#include "tenant/tenant.h"
#include "wire/server.h"

/**
 * The public interfaces, one file each: a handler finds out who asks and for what, hands
 * it to the layer below, and answers.  What is common to them is here.
 */
typedef struct Rpc {
    const Config *config;
    Store *store;
    OperationEngine *engine;
    TenantBook *tenants;
    TemplateBook *templates;
    InstanceBook *instances;
    Fleet *fleet;
    GroupBook *groups;
    gint64 started_boot_ms;
    /** The group whose members are admins; -1 if there is none. */
    gid_t admin_group;
    /** The group whose members see what admins see, and change nothing; or -1. */
    gid_t reader_group;
    /** The group whose members add entries of the books; or -1. */
    gid_t accountant_group;
    /** Readers of events and of the ledger that wait for more, by kind. */
    GPtrArray *followers[2];
    /** An audit is under way. */
    bool is_auditing;
    /** Calls that wait for hosts to have answered, and until when. */
    GPtrArray *held;
    guint hold_source;
} Rpc;

extern const ProtoVmctlHandlers rpc_vmctl_handlers;
extern const ProtoInstanceHandlers rpc_instance_handlers;
extern const ProtoGroupHandlers rpc_group_handlers;
extern const ProtoTemplateHandlers rpc_template_handlers;
extern const ProtoHostHandlers rpc_host_handlers;
extern const ProtoOperationHandlers rpc_operation_handlers;
extern const ProtoEventHandlers rpc_event_handlers;
extern const ProtoLedgerHandlers rpc_ledger_handlers;
extern const ProtoAuditHandlers rpc_audit_handlers;
extern const ProtoTenantHandlers rpc_tenant_handlers;
extern const ProtoQuotaHandlers rpc_quota_handlers;
extern const ProtoBudgetHandlers rpc_budget_handlers;
extern const ProtoSessionHandlers rpc_session_handlers;

/** Makes the server of rpc's interfaces. */
WireServer *rpc_server_new(Rpc *rpc);

/** Whether the call may do to this tenant's what its method does: a tenant that is
 * disabled changes nothing, and an admin only takes back what it has.  Fails with
 * PROTO_ERROR_ILLEGAL_STATE. */
bool rpc_may_change(WireCall *call, const char *tenant, GError **error);

/** An admin, or a reader, and not with a token. */
bool rpc_is_admin(WireCall *call);
Rpc *rpc_of(WireCall *call);

/**
 * The tenant that a request is about: the one that the caller acts for if asked is NULL.
 * One that it has no part in does not exist.  Fails as identity_find_tenant() and
 * rpc_may_change() do.
 */
bool rpc_get_tenant(WireCall *call,
                    const char *asked,
                    const char **ret_tenant,
                    GError **error);

/** The instance that a request names, as the caller may see it. */
Instance *
rpc_find_instance(WireCall *call, const char *text, const char *tenant, GError **error);

/** Shows an instance with what its host adds to it; pointers are borrowed. */
ProtoInstance rpc_show_instance(const Instance *instance);

/** What every changing method does with its request_id. */
typedef struct {
    OperationRequest request;
    char *hash;
} Change;

/**
 * Prepares a change: who asks, and the hash of the request (method and parameters).
 * Release with rpc_change_clear(). When the same request was made before, ret_operations
 * holds what it made then (free the array), else NULL; fails with
 * PROTO_ERROR_REQUEST_MISMATCH when the id was used for something else.
 */
bool rpc_change_init(WireCall *call,
                     const void *in,
                     const char *request_id,
                     const char *tenant,
                     Change *ret_change,
                     GPtrArray **ret_operations,
                     GError **error);
void rpc_change_clear(Change *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Change, rpc_change_clear)

/** Commits tx, and answers with the operation once it is on disk; the reply is a struct
 * with one string. */
void rpc_reply_operation(WireCall *call, StoreTx *tx, const Operation *operation);

/** Does what a call asks for and answers it, or fails with error and has done nothing. in
 * is the call's. */
typedef bool (*RpcTry)(WireCall *call, const void *in, GError **error);

/** Tries it; the call fails as it does.  If no host has room, and not all have answered
 * since the start, it is tried again later. */
void rpc_try(WireCall *call, const void *in, RpcTry try);

/** Whether that is so. */
bool rpc_may_find_room(const Rpc *rpc, const GError *error);

/** Hosts have answered, or are not waited for any longer. */
void rpc_try_held(Rpc *rpc);

/** Begins a change of a tenant that is there, and has a row from then on; or fails the
 * call with PROTO_ERROR_NOT_FOUND and returns NULL. */
StoreTx *rpc_begin_tenant(WireCall *call, const char *tenant);

/** Answers a call with what there is to tell of a tenant. */
typedef void (*RpcTell)(WireCall *call, const char *tenant);

/** Tells of the tenant that the call is about; see rpc_get_tenant(). */
void rpc_tell(WireCall *call, const char *asked, RpcTell tell);

/** Commits a change of a tenant that has a row, and tells of it once that is on disk. */
void rpc_tell_changed(WireCall *call, StoreTx *tx, const char *tenant, RpcTell tell);

/** Answers a repeated request with the operation that it made, and takes what
 * rpc_change_init() found; false if it is a new one. */
bool rpc_reply_repeat(WireCall *call, GPtrArray *repeated);

/** A page's size. */
guint rpc_get_limit(bool has_limit, gint64 limit);

/** In a tree by "tenant/name", the first entry after the page before; of a single tenant,
 * not before its first.  after and tenant may be NULL. */
GTreeNode *rpc_find_start(GTree *tree, const char *after, const char *tenant);

/* Streams of events and of the ledger. */

typedef struct Reader Reader;

/** What is read. */
typedef enum {
    READER_EVENTS,
    READER_LEDGER,
    READER_KINDS,
} ReaderKind;

struct Reader {
    Rpc *rpc;
    ReaderKind kind;
    /** NULL when the client has gone. */
    WireCall *call;
    /** Asks the store for what comes after the cursor. */
    void (*read)(Reader *reader);
    gint64 cursor;
    /** What was the newest number when it last read. */
    gint64 seq;
    guint limit;
    bool follow;
    bool is_reading;
    /** NULL: everybody's. */
    char *tenant;
};

/** Starts a stream for the call. */
void reader_start(WireCall *call,
                  ReaderKind kind,
                  void (*read)(Reader *reader),
                  gint64 after,
                  guint limit,
                  bool follow,
                  const char *tenant);

/** Whether the client of a read has gone; the reader is freed then. */
bool reader_is_gone(Reader *reader);

/** Sends a batch: n_rows were read up to last, of which reply shows n_shown. */
void
reader_send(Reader *reader, const void *reply, gsize n_rows, gsize n_shown, gint64 last);

/** Ends the stream.  Takes error. */
void reader_fail(Reader *reader, GError *error);

/** Something new is on disk: those who follow it read on. */
void reader_wake(Rpc *rpc, ReaderKind kind);
