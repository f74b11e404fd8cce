/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "views.h"

enum {
    QUOTE_MS = 10000
};

/* Adds the price to the plan, which is not read-only. */
static bool
add_price(Session *session,
          const ProtoInstanceCreateCall *in,
          const ProtoPlan *plan,
          JsonObject *shown,
          GError **error)
{
    const ProtoBillingQuoteCall call = {
        .tenant = in->tenant,
        .vcpus = plan->size.vcpus,
        .memory_bytes = plan->size.memory_bytes,
        .disk_bytes = plan->size.disk_bytes,
        .template = plan->template,
        .host = plan->host,
        .labels = in->labels,
    };
    g_auto(WireReply) reply = { 0 };

    if (!session_call(session, SERVICE_METER, &proto_billing_quote, &call, QUOTE_MS,
                      &reply, error))
        return false;
    json_object_set_member(shown, "price", json_node_ref(reply.parameters));
    return true;
}

static void
print(Session *session, const ProtoPlan *plan, JsonNode *reply, JsonNode *shown)
{
    JsonNode *price = json_object_get_member(json_node_get_object(shown), "price");

    session_print(session, &view_plan, reply);
    if (session->format > FORMAT_WIDE)
        return;
    if (plan->n_host_refusals > 0)
        session_print(session, &view_refusals, shown);
    if (price != NULL)
        session_print(session, &view_quote, price);
    session_print(session, &view_quota, shown);
}

bool
plan_print(Session *session,
           const ProtoInstanceCreateCall *in,
           JsonNode *reply,
           GError **error)
{
    g_auto(ProtoInstanceCreateReply) answer = { 0 };
    g_autofree char *text = json_to_string(reply, FALSE);
    /* A reply is read-only. */
    g_autoptr(JsonNode) copy = json_from_string(text, NULL);
    g_autoptr(GError) unknown = NULL;
    const ProtoPlan *plan = NULL;
    JsonNode *shown = NULL;

    if (!wire_struct_parse(&proto_instance_create_reply_type, json_node_get_object(copy),
                           "reply", WIRE_PARSE_LENIENT, &answer, error))
        return false;
    plan = answer.plan;
    if (plan == NULL) {
        proto_error_set_internal(error, "protocol", "The service's answer has no plan");
        return false;
    }
    shown = json_object_get_member(json_node_get_object(copy), "plan");
    if (!add_price(session, in, plan, json_node_get_object(shown), &unknown))
        session_warn(session, "the price is not known: %s", unknown->message);
    print(session, plan, copy, shown);
    if (plan->host == NULL ||
        (plan->refusals != NULL && g_strv_length(plan->refusals) > 0))
        session_fail_with(session, EXIT_FAILED);
    return true;
}
