/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model/role.h"
#include "op/admission.h"

static const WorkflowStep steps[] = {
    { 0 },
};

static void
take(gpointer owner, const OperationRequest *request, Quota *asked)
{
    quota_add(asked, request->new_size, 1);
}

static const Workflow making = {
    .kind = OPERATION_KIND_INSTANCE_CREATE,
    .steps = steps,
    .takes = take,
};

static const Workflow silent = {
    .kind = OPERATION_KIND_INSTANCE_RESIZE,
    .steps = steps,
};

static const ProtoSize small = { 1, 2, 3 };
static const ProtoSize large = { 2, 2, 3 };

static const OperationRequest request = {
    .kind = OPERATION_KIND_INSTANCE_CREATE,
    .tenant = "a",
    .new_size = &small,
};

static bool
pass(const AdmissionAsk *ask, gpointer data, GError **error)
{
    *(AdmissionAsk *) data = *ask;
    return true;
}

static bool
refuse(const AdmissionAsk *ask, gpointer data, GError **error)
{
    proto_error_set_quota_exceeded(error, "vcpus", 1, 2, 3, "No");
    return false;
}

static OperationEngine *
new_engine(AdmissionGate gate, gpointer data)
{
    OperationEngine *engine = operation_engine_new(NULL, 10, 10);

    operation_engine_add(engine, &making, NULL);
    operation_engine_set_gate(engine, gate, data);
    return engine;
}

static void
test_the_gate_is_asked_for_all_at_once(void)
{
    AdmissionAsk seen = { 0 };
    g_autoptr(OperationEngine) engine = new_engine(pass, &seen);
    g_autoptr(Admission) admission = admission_ask(engine, &request, 5, NULL);

    g_assert_nonnull(admission);
    g_assert_cmpint(seen.asked.amount[QUOTA_INSTANCES], ==, 5);
    g_assert_cmpint(seen.asked.amount[QUOTA_VCPUS], ==, 5);
    g_assert_cmpint(seen.asked.amount[QUOTA_OPERATIONS], ==, 5);
}

static void
test_what_the_gate_refuses_is_not_admitted(void)
{
    g_autoptr(OperationEngine) engine = new_engine(refuse, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_null(admission_ask(engine, &request, 1, &error));
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_QUOTA_EXCEEDED);
}

/* Uses up count times what leave for one was given for, with that size. */
static void
use(const ProtoSize *size, int count)
{
    AdmissionAsk seen = { 0 };
    g_autoptr(OperationEngine) engine = new_engine(pass, &seen);
    g_autoptr(Admission) admission = admission_ask(engine, &request, 1, NULL);
    OperationRequest other = request;

    other.new_size = size;
    for (int i = 0; i < count; i++) {
        admission_use(admission, &other);
    }
}

static void
test_more_than_was_asked_for_ends_the_process(void)
{
    if (g_test_subprocess()) {
        use(&large, 1);
        return;
    }
    use(&small, 1);
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*takes more vcpus than was asked for*");
}

static void
test_leave_is_good_once(void)
{
    if (g_test_subprocess()) {
        use(&small, 2);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*was not asked for*");
}

static void
test_a_workflow_that_does_not_say_what_it_takes_ends_the_process(void)
{
    if (g_test_subprocess()) {
        g_autoptr(OperationEngine) engine = operation_engine_new(NULL, 10, 10);

        operation_engine_add(engine, &silent, NULL);
        return;
    }
    g_test_trap_subprocess(NULL, 0, 0);
    g_test_trap_assert_failed();
    g_test_trap_assert_stderr("*instance_resize has no takes*");
}

/* Roles */

static void
test_each_role_includes_those_below_it(void)
{
    static const Role order[] = { ROLE_BILLING, ROLE_VIEWER, ROLE_OPERATOR,
                                  ROLE_TENANT_ADMIN, ROLE_ADMIN };

    G_STATIC_ASSERT(G_N_ELEMENTS(order) == ROLE_N);
    for (gsize has = 0; has < G_N_ELEMENTS(order); has++) {
        for (gsize needs = 0; needs < G_N_ELEMENTS(order); needs++) {
            g_assert_true(role_includes(order[has], order[needs]) == (has >= needs));
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/admission/the-gate-is-asked-for-all-at-once",
                    test_the_gate_is_asked_for_all_at_once);
    g_test_add_func("/admission/what-the-gate-refuses-is-not-admitted",
                    test_what_the_gate_refuses_is_not_admitted);
    g_test_add_func("/admission/more-than-was-asked-for-ends-the-process",
                    test_more_than_was_asked_for_ends_the_process);
    g_test_add_func("/admission/leave-is-good-once", test_leave_is_good_once);
    g_test_add_func(
        "/admission/a-workflow-that-does-not-say-what-it-takes-ends-the-process",
        test_a_workflow_that_does_not_say_what_it_takes_ends_the_process);
    g_test_add_func("/role/each-includes-those-below-it",
                    test_each_role_includes_those_below_it);
    return g_test_run();
}
