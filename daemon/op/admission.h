/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "op/operation.h"

/**
 * The one way for an operation to come to be.  Who wants operations asks first: what
 * their workflow takes of the tenant's quota is held against the sum of all that is
 * there, and what passes is an Admission, of which operation_admit() makes them.  Both
 * happen in one turn of the main loop, in which nothing else is admitted; so what was
 * asked for and what is written are one transaction, and nothing is counted.
 */

/** What the gate is asked. */
typedef struct {
    const char *tenant;
    /** What is taken beyond what is there; all 0 for what gives something back. */
    Quota asked;
    bool gives_back;
    /** An admin asks, or the service for itself. */
    bool by_admin;
} AdmissionAsk;

/** Fails with why it may not be: PROTO_ERROR_QUOTA_EXCEEDED, PROTO_ERROR_ILLEGAL_STATE.
 */
typedef bool (*AdmissionGate)(const AdmissionAsk *ask, gpointer data, GError **error);

/** Sets the gate, without which nothing is admitted. */
void
operation_engine_set_gate(OperationEngine *engine, AdmissionGate gate, gpointer data);

/** Asks the gate. */
bool operation_engine_pass_gate(OperationEngine *engine,
                                const AdmissionAsk *ask,
                                GError **error);

/** What count operations like this take. */
Quota
admission_sum(OperationEngine *engine, const OperationRequest *request, gint64 count);

/**
 * Asks for leave for count operations of the request's kind and tenant; all or none.  Of
 * the rest of request only what takes() looks at counts.
 */
Admission *admission_ask(OperationEngine *engine,
                         const OperationRequest *request,
                         gint64 count,
                         GError **error);
void admission_free(Admission *admission);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Admission, admission_free)

/** The engine that gave it. */
OperationEngine *admission_get_engine(const Admission *admission);

/** Uses up the part of it that request needs.  What it does not cover is a fault of ours
 * and ends the process. */
void admission_use(Admission *admission, const OperationRequest *request);
