/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gio.h>
#include <string.h>

#include "proto.h"

static char *
print(const GError *error)
{
    GString *out = g_string_new(NULL);

    wire_error_print(error, out);
    return g_string_free(out, FALSE);
}

static GError *
from_reply(const char *name, const char *parameters)
{
    g_autoptr(JsonNode) node =
        parameters == NULL ? NULL : json_from_string(parameters, NULL);

    return wire_error_from_reply(name, node == NULL ? NULL : json_node_get_object(node));
}

static void
test_carries_parameters(void)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_quota_exceeded(&error, "vcpus", 3, 2, 4, "%d vCPUs are too many", 2);
    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_QUOTA_EXCEEDED);
    g_assert_cmpstr(error->message, ==, "2 vCPUs are too many");
    g_assert_cmpstr(wire_error_get_name(error), ==, "io.vmctl.QuotaExceeded");
    const ProtoErrorQuotaExceeded *parameters = wire_error_get_parameters(error);

    g_assert_cmpstr(parameters->resource, ==, "vcpus");
    g_assert_cmpint(parameters->limit, ==, 4);
}

static void
test_prints_the_message_first(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) plain = NULL;

    proto_error_set_conflict(&error, "instance", "web", NULL, "It is \"busy\"");
    g_autofree char *text = print(error);

    g_assert_cmpstr(
        text, ==,
        "{\"message\":\"It is \\\"busy\\\"\",\"kind\":\"instance\",\"name\":\"web\"}");
    proto_error_set_cancelled(&plain, "It was cancelled");
    g_autofree char *alone = print(plain);

    g_assert_cmpstr(alone, ==, "{\"message\":\"It was cancelled\"}");
}

static void
test_prints_varlinks_own_without_a_message(void)
{
    g_autoptr(GError) error = NULL;

    proto_error_set_service_method_not_found(&error, "io.vmctl.Fly", "No %s", "wings");
    g_autofree char *text = print(error);

    g_assert_cmpstr(text, ==, "{\"method\":\"io.vmctl.Fly\"}");
    g_assert_cmpstr(wire_error_get_name(error), ==, "org.varlink.service.MethodNotFound");
}

static void
test_foreign_errors_are_internal(void)
{
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_NO_SPACE, "disk full");
    g_autofree char *text = print(error);

    g_assert_cmpstr(wire_error_get_name(error), ==, "io.vmctl.Internal");
    g_assert_null(wire_error_get_parameters(error));
    g_assert_nonnull(strstr(text, "\"message\":\"disk full\""));
}

static void
test_copy_is_deep(void)
{
    ProtoRefusal refusals[] = { { (char[]){ "a" }, (char[]){ "full" } },
                                { (char[]){ "b" }, (char[]){ "away" } } };
    GError *error = NULL;

    proto_error_set_no_capacity(&error, refusals, 2, "No host can take it");
    g_autoptr(GError) copy = g_error_copy(error);

    g_error_free(error);
    const ProtoErrorNoCapacity *parameters = wire_error_get_parameters(copy);

    g_assert_cmpuint(parameters->n_refusals, ==, 2);
    g_assert_cmpstr(parameters->refusals[1].reason, ==, "away");
}

static void
test_without_a_place_to_put_it(void)
{
    proto_error_set_not_found(NULL, "instance", "web", "There is no %s", "web");
}

/* Every error of the schema goes over the wire and comes back as it was. */
static void
test_every_error_returns(void)
{
    for (gsize i = 0; i < proto_n_error_types; i++) {
        const WireErrorType *type = &proto_error_types[i];
        g_autofree gpointer nothing = g_malloc0(type->parameters->size);
        g_autoptr(GError) error = NULL;

        wire_error_set(&error, type->code, nothing, "message %zu", i);
        g_autofree char *text = print(error);
        g_autoptr(GError) back = from_reply(wire_error_get_name(error), text);

        g_assert_error(back, PROTO_ERROR, type->code);
        g_autofree char *again = print(back);

        g_assert_cmpstr(again, ==, text);
        if (g_str_has_prefix(type->full_name, "io.vmctl."))
            g_assert_cmpstr(back->message, ==, error->message);
    }
}

static void
test_parameters_return(void)
{
    g_autoptr(GError) error =
        from_reply("io.vmctl.InvalidParameter",
                   "{\"message\":\"m\",\"path\":\"p\",\"reason\":\"r\",\"later\":[1]}");
    const ProtoErrorInvalidParameter *parameters = wire_error_get_parameters(error);

    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INVALID_PARAMETER);
    g_assert_cmpstr(parameters->path, ==, "p");
    g_assert_cmpstr(error->message, ==, "m");
}

static void
test_unknown_errors_keep_name_and_message(void)
{
    g_autoptr(GError) error =
        from_reply("io.vmctl.FromTheFuture", "{\"message\":\"the flux is low\"}");
    g_autoptr(GError) bare = from_reply("io.vmctl.FromTheFuture", NULL);

    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_INTERNAL);
    g_assert_nonnull(strstr(error->message, "io.vmctl.FromTheFuture"));
    g_assert_nonnull(strstr(error->message, "the flux is low"));
    g_assert_error(bare, PROTO_ERROR, PROTO_ERROR_INTERNAL);
}

/* The code says more than what came with it. */
static void
test_damaged_parameters_keep_the_code(void)
{
    g_autoptr(GError) error =
        from_reply("io.vmctl.NotFound", "{\"message\":7,\"kind\":[],\"name\":{}}");
    g_autoptr(GError) bare = from_reply("io.vmctl.NotFound", NULL);

    g_assert_error(error, PROTO_ERROR, PROTO_ERROR_NOT_FOUND);
    g_assert_nonnull(wire_error_get_parameters(error));
    g_assert_error(bare, PROTO_ERROR, PROTO_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/carries-parameters", test_carries_parameters);
    g_test_add_func("/error/prints-the-message-first", test_prints_the_message_first);
    g_test_add_func("/error/prints-varlinks-own-without-a-message",
                    test_prints_varlinks_own_without_a_message);
    g_test_add_func("/error/foreign-errors-are-internal",
                    test_foreign_errors_are_internal);
    g_test_add_func("/error/copy-is-deep", test_copy_is_deep);
    g_test_add_func("/error/without-a-place-to-put-it", test_without_a_place_to_put_it);
    g_test_add_func("/error/every-error-returns", test_every_error_returns);
    g_test_add_func("/error/parameters-return", test_parameters_return);
    g_test_add_func("/error/unknown-errors-keep-name-and-message",
                    test_unknown_errors_keep_name_and_message);
    g_test_add_func("/error/damaged-parameters-keep-the-code",
                    test_damaged_parameters_keep_the_code);
    return g_test_run();
}
