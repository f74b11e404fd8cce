/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/admission.h"

#include <string.h>

struct Admission {
    OperationEngine *engine;
    OperationKind kind;
    char *tenant;
    /** What of it is not used yet. */
    gint64 count;
    Quota left;
};

void
workflow_takes_nothing(gpointer owner, const OperationRequest *request, Quota *asked)
{
}

Quota
admission_sum(OperationEngine *engine, const OperationRequest *request, gint64 count)
{
    const Workflow *workflow = operation_engine_get_workflow(engine, request->kind);
    Quota one = { 0 };
    Quota sum = { 0 };

    workflow->takes(operation_engine_get_owner(engine, request->kind), request, &one);
    if (!workflow->gives_back)
        one.amount[QUOTA_OPERATIONS]++;
    quota_add_times(&sum, &one, count);
    return sum;
}

Admission *
admission_ask(OperationEngine *engine,
              const OperationRequest *request,
              gint64 count,
              GError **error)
{
    const AdmissionAsk ask = {
        .tenant = request->tenant,
        .asked = admission_sum(engine, request, count),
        .gives_back = operation_engine_get_workflow(engine, request->kind)->gives_back,
        .by_admin = request->by_admin,
    };
    Admission *admission = NULL;

    if (!operation_engine_pass_gate(engine, &ask, error))
        return NULL;
    admission = g_new0(Admission, 1);
    *admission = (Admission){
        .engine = engine,
        .kind = request->kind,
        .tenant = g_strdup(request->tenant),
        .count = count,
        .left = ask.asked,
    };
    return admission;
}

void
admission_free(Admission *admission)
{
    if (admission == NULL)
        return;
    g_free(admission->tenant);
    g_free(admission);
}

OperationEngine *
admission_get_engine(const Admission *admission)
{
    return admission->engine;
}

void
admission_use(Admission *admission, const OperationRequest *request)
{
    Quota used = admission_sum(admission->engine, request, 1);

    if (request->kind != admission->kind || admission->count == 0 ||
        strcmp(request->tenant, admission->tenant) != 0)
        g_error("An operation that was not asked for: %s of %s",
                operation_kind_to_string(request->kind), request->tenant);
    admission->count--;
    for (int i = 0; i < QUOTA_RESOURCES; i++) {
        if (used.amount[i] > admission->left.amount[i])
            g_error("An operation takes more %s than was asked for: %s of %s",
                    quota_resource_to_string((QuotaResource) i),
                    operation_kind_to_string(request->kind), request->tenant);
        admission->left.amount[i] -= used.amount[i];
    }
}
