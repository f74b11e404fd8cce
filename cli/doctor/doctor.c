/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "doctor/checks.h"
#include "run.h"
#include "text.h"
#include "views.h"

enum {
    CALL_MS = 5000,
    GROUPS_MAX = 256
};

static const char start_vmd[] =
    "systemctl start vmd, or from the sources: tools/demo --start-only";

static bool
is_member(const char *name)
{
    struct group group;
    struct group *found = NULL;
    char buffer[4096];
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    if (getgrnam_r(name, &group, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return false;
    for (int i = 0; i < count; i++) {
        if (groups[i] == group.gr_gid)
            return true;
    }
    return getegid() == group.gr_gid;
}

static void
check_groups(Session *session, GPtrArray *findings)
{
    if (geteuid() == 0) {
        finding_add(findings, "you", CHECK_OK, NULL, "are root: an admin");
    } else if (is_member("vmd-admin")) {
        finding_add(findings, "you", CHECK_OK, NULL,
                    "are in the group vmd-admin: an admin");
    } else {
        finding_add(findings, "you", CHECK_OK, NULL,
                    "own a tenant of your own (admins are in the group vmd-admin)%s",
                    is_member("libvirt") ? ", and may use virsh" : "");
    }
}

static bool
call(Session *session,
     Service service,
     const WireMethod *method,
     void *ret_reply,
     GError **error)
{
    g_autofree gpointer in = g_malloc0(method->call->size);
    g_auto(WireReply) reply = { 0 };

    return session_call(session, service, method, in, CALL_MS, &reply, error) &&
           wire_struct_parse(method->reply, json_node_get_object(reply.parameters),
                             "reply", WIRE_PARSE_LENIENT, ret_reply, error);
}

static bool
check_service(Session *session, Service service, const char *name, GPtrArray *findings)
{
    g_auto(ProtoVmctlGetInfoReply) reply = { 0 };
    g_autoptr(GError) error = NULL;

    if (!call(session, service, &proto_vmctl_get_info, &reply, &error)) {
        finding_add(findings, name, CHECK_FAIL, start_vmd, "%s", error->message);
        return false;
    }
    finding_add(findings, name, CHECK_OK, NULL, "%s %s answers at %s", reply.program,
                reply.version, session->sockets[service]);
    return true;
}

static void
check_host(const ProtoHost *host, GPtrArray *findings)
{
    switch (host->state) {
    case HOST_STATE_CONNECTED:
        if (host->disk_bytes == 0) {
            finding_add(findings, "host", CHECK_FAIL,
                        "see pool and pool_path in vmd.conf, then restart vmd",
                        "%s has no storage pool", host->name);
        } else {
            finding_add(findings, "host", CHECK_OK, NULL, "%s is connected (%s, %s)",
                        host->name, host->uri,
                        host->accel != NULL ? host->accel : "no accelerator known");
        }
        return;
    case HOST_STATE_STARTING:
        finding_add(findings, "host", CHECK_WARN, "try again in a moment",
                    "%s has not answered yet", host->name);
        return;
    case HOST_STATE_UNREACHABLE:
        finding_add(findings, "host", CHECK_FAIL,
                    "mend libvirtd above; vmd tries again by itself",
                    "%s is unreachable: %s", host->name,
                    host->reason != NULL ? host->reason : "no reason known");
        return;
    case HOST_STATE_N:
        return;
    }
}

static void
check_hosts(Session *session, GPtrArray *findings)
{
    g_auto(ProtoHostListReply) reply = { 0 };
    g_autoptr(GError) error = NULL;

    if (call(session, SERVICE_VMD, &proto_host_list, &reply, &error)) {
        for (gsize i = 0; i < reply.n_hosts; i++)
            check_host(&reply.hosts[i], findings);
    } else if (g_error_matches(error, PROTO_ERROR, PROTO_ERROR_PERMISSION_DENIED)) {
        finding_add(findings, "host", CHECK_OK, NULL, "is shown to admins only");
    } else {
        finding_add(findings, "host", CHECK_FAIL, start_vmd, "%s", error->message);
    }
}

static void
check_templates(Session *session, GPtrArray *findings)
{
    g_auto(ProtoTemplateListReply) reply = { 0 };
    g_autoptr(GError) error = NULL;

    if (!call(session, SERVICE_VMD, &proto_template_list, &reply, &error)) {
        finding_add(findings, "template", CHECK_FAIL, start_vmd, "%s", error->message);
        return;
    }
    for (gsize i = 0; i < reply.n_templates; i++) {
        const ProtoTemplate *template = &reply.templates[i];

        if (template->state != TEMPLATE_STATE_READY)
            continue;
        finding_add(findings, "template", CHECK_OK, NULL, "%s:%s is ready",
                    template->name, template->version);
        return;
    }
    finding_add(findings, "template", CHECK_FAIL,
                "build one of images/ into the import folder, then: vmctl template "
                "import NAME",
                "there is none to make an instance from");
}

static JsonNode *
make_reply(GPtrArray *findings)
{
    JsonNode *reply = json_node_new(JSON_NODE_OBJECT);
    JsonArray *checks = json_array_new();

    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);
        JsonObject *check = json_object_new();

        json_object_set_string_member(check, "name", finding->name);
        json_object_set_string_member(check, "result",
                                      check_result_to_string(finding->result));
        json_object_set_string_member(check, "found", finding->found);
        if (finding->mend != NULL)
            json_object_set_string_member(check, "mend", finding->mend);
        json_array_add_object_element(checks, check);
    }
    json_node_take_object(reply, json_object_new());
    json_object_set_array_member(json_node_get_object(reply), "checks", checks);
    return reply;
}

/* The mending stands below its finding: a column would be too wide to read. */
static void
print_for_people(GPtrArray *findings)
{
    g_autoptr(GString) out = g_string_new(NULL);

    for (guint i = 0; i < findings->len; i++) {
        const Finding *finding = g_ptr_array_index(findings, i);

        g_string_append_printf(out, "%-4s  %-12s  ",
                               check_result_to_string(finding->result), finding->name);
        text_append_escaped(out, finding->found);
        g_string_append_c(out, '\n');
        if (finding->mend != NULL)
            g_string_append_printf(out, "      mend: %s\n", finding->mend);
    }
    session_write(out->str, out->len);
}

bool
run_doctor(Session *session, const Arguments *arguments, GError **error)
{
    g_autoptr(GPtrArray) findings =
        g_ptr_array_new_with_free_func((GDestroyNotify) finding_free);
    g_autoptr(JsonNode) reply = NULL;

    checks_run("/", findings);
    check_groups(session, findings);
    if (check_service(session, SERVICE_VMD, "vmd", findings)) {
        check_service(session, SERVICE_METER, "vmd-meter", findings);
        check_hosts(session, findings);
        check_templates(session, findings);
    }
    reply = make_reply(findings);
    if (session->format <= FORMAT_WIDE) {
        print_for_people(findings);
    } else {
        session_print(session, &view_checks, reply);
    }
    for (guint i = 0; i < findings->len; i++) {
        if (((const Finding *) g_ptr_array_index(findings, i))->result == CHECK_FAIL)
            session_fail_with(session, EXIT_FAILED);
    }
    return true;
}
